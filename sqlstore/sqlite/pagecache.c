// SQLite's own page cache, but that it is not searched from end to end for nothing. When SQLite balances a b-tree it gives
// a page, for a moment, a number that no page has: that of the page with the lock bytes, 1 GiB into the file. At the end of
// each transaction it has the cache drop pages beyond the database's end; the cache goes by the greatest number it has seen,
// which is that one then, and looks at all its slots: some 100 microseconds if it has grown to 64 MiB. So the greatest number
// is kept here, without that one.
#include "lc.h"

// https://www.sqlite.org/c3ref/pcache_methods2.html
typedef struct sqlite3_pcache sqlite3_pcache;
typedef struct sqlite3_pcache_page sqlite3_pcache_page;
struct sqlite3_pcache_methods2 {
  int iVersion;
  void *pArg;
  int (*xInit)(void *);
  void (*xShutdown)(void *);
  sqlite3_pcache *(*xCreate)(int szPage, int szExtra, int bPurgeable);
  void (*xCachesize)(sqlite3_pcache *, int nCachesize);
  int (*xPagecount)(sqlite3_pcache *);
  sqlite3_pcache_page *(*xFetch)(sqlite3_pcache *, unsigned key, int createFlag);
  void (*xUnpin)(sqlite3_pcache *, sqlite3_pcache_page *, int discard);
  void (*xRekey)(sqlite3_pcache *, sqlite3_pcache_page *, unsigned oldKey, unsigned newKey);
  void (*xTruncate)(sqlite3_pcache *, unsigned iLimit);
  void (*xDestroy)(sqlite3_pcache *);
  void (*xShrink)(sqlite3_pcache *);
};

#define PENDING_BYTE 0x40000000 // https://www.sqlite.org/fileformat.html, 1.5: "The Lock-Byte Page"

struct sqlite3_pcache {
  sqlite3_pcache *own;
  unsigned most;     // no page has a greater number
  unsigned lockbyte; // the page with the lock bytes
};

static struct sqlite3_pcache_methods2 own; // SQLite's
static int64_t searches;                   // of all caches: see lc_cache_searches

static sqlite3_pcache *cache_create(int page, int extra, int purgeable) {
  sqlite3_pcache *c = sqlite3_malloc64(sizeof *c);
  if (!c) return NULL;
  c->own = own.xCreate(page, extra, purgeable);
  c->most = 0;
  c->lockbyte = PENDING_BYTE / (unsigned)page + 1;
  if (c->own) return c;
  sqlite3_free(c);
  return NULL;
}

static void cache_destroy(sqlite3_pcache *c) {
  own.xDestroy(c->own);
  sqlite3_free(c);
}

static sqlite3_pcache_page *cache_fetch(sqlite3_pcache *c, unsigned key, int create) {
  if (create && key > c->most) c->most = key;
  return own.xFetch(c->own, key, create);
}

static void cache_rekey(sqlite3_pcache *c, sqlite3_pcache_page *p, unsigned from, unsigned to) {
  if (to > c->most && to != c->lockbyte) c->most = to;
  own.xRekey(c->own, p, from, to);
}

static void cache_truncate(sqlite3_pcache *c, unsigned limit) {
  if (limit > c->most) return;
  c->most = limit == 0 ? 0 : limit - 1;
  __atomic_fetch_add(&searches, 1, __ATOMIC_RELAXED);
  own.xTruncate(c->own, limit);
}

static void cache_size(sqlite3_pcache *c, int n) { own.xCachesize(c->own, n); }
static int cache_count(sqlite3_pcache *c) { return own.xPagecount(c->own); }
static void cache_unpin(sqlite3_pcache *c, sqlite3_pcache_page *p, int discard) { own.xUnpin(c->own, p, discard); }
static void cache_shrink(sqlite3_pcache *c) { own.xShrink(c->own); }

// lc_cache_searches is how often a cache has looked for pages to drop.
int64_t lc_cache_searches(void) { return __atomic_load_n(&searches, __ATOMIC_RELAXED); }

// lc_page_cache puts this cache in the place of SQLite's. It must be called before SQLite's first use.
void lc_page_cache(void) {
  if (sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &own) != SQLITE_OK) return;
  struct sqlite3_pcache_methods2 m = own; // pArg is handed to xInit and xShutdown, SQLite's still
  m.xCreate = cache_create;
  m.xCachesize = cache_size;
  m.xPagecount = cache_count;
  m.xFetch = cache_fetch;
  m.xUnpin = cache_unpin;
  m.xRekey = cache_rekey;
  m.xTruncate = cache_truncate;
  m.xDestroy = cache_destroy;
  m.xShrink = cache_shrink;
  sqlite3_config(SQLITE_CONFIG_PCACHE2, &m);
}
