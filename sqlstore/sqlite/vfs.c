// The file system as SQLite sees it: its own that keeps other processes out ("unix-excl"), but that the write-ahead log is
// synced by fdatasync. SQLite calls fsync unless it was compiled with HAVE_FDATASYNC. The log is written over from its
// beginning after each checkpoint, so that its size hardly ever changes; fsync then waits for the file system's journal
// only to store the time of the last change, fdatasync does not (fdatasync(2): metadata is flushed if it is needed to read
// the data back, as a new size is).
//
// And the log is written in few calls. SQLite writes each frame in two, 24 bytes and the page; ours are collected, and go to
// the file when it is synced, which with synchronous=FULL is before other connections learn of them, or when SQLite reads
// frames of a transaction that spilled.
#include "lc.h"

#define OWN_VFS "unix-excl"

#ifdef __linux__
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

// https://www.sqlite.org/c3ref/io_methods.html, version 1: all that is asked of a log.
struct sqlite3_io_methods {
  int iVersion;
  int (*xClose)(sqlite3_file *);
  int (*xRead)(sqlite3_file *, void *, int, sqlite3_int64);
  int (*xWrite)(sqlite3_file *, const void *, int, sqlite3_int64);
  int (*xTruncate)(sqlite3_file *, sqlite3_int64);
  int (*xSync)(sqlite3_file *, int);
  int (*xFileSize)(sqlite3_file *, sqlite3_int64 *);
  int (*xLock)(sqlite3_file *, int);
  int (*xUnlock)(sqlite3_file *, int);
  int (*xCheckReservedLock)(sqlite3_file *, int *);
  int (*xFileControl)(sqlite3_file *, int, void *);
  int (*xSectorSize)(sqlite3_file *);
  int (*xDeviceCharacteristics)(sqlite3_file *);
};

// A log: SQLite's own file follows, and does all but xSync. fd is of the same file. It is never a database's: closing a
// file takes away the locks that the process has on it.
typedef struct {
  sqlite3_file base;
  int fd;
  int synced; // once by SQLite itself, which also syncs the folder of a new file
  int n;      // bytes collected, to be written at
  sqlite3_int64 at;
  unsigned char *collected; // of COLLECT bytes, NULL before the first write
  int failed;               // why what was collected from failed_at on could not be written; SQLITE_OK: it could
  sqlite3_int64 failed_at;
} wal_file;

#define COLLECT (64 << 10)

static sqlite3_file *own(sqlite3_file *f) { return (sqlite3_file *)((wal_file *)f + 1); }

#define OWN(f) own(f)->pMethods

// wal_flush writes what is collected. If that fails it is gone, and nothing can be read from there on nor written behind it,
// so that the transaction cannot be committed: SQLite rolls it back, and writes from there or before it again.
static int wal_flush(sqlite3_file *f) {
  wal_file *w = (wal_file *)f;
  if (w->n == 0) return SQLITE_OK;
  int rc = OWN(f)->xWrite(own(f), w->collected, w->n, w->at);
  if (rc != SQLITE_OK) {
    w->failed = rc;
    w->failed_at = w->at;
  }
  w->n = 0;
  return rc;
}

static int wal_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
  wal_file *w = (wal_file *)f;
  if (w->n > 0 && (at != w->at + w->n || n > COLLECT - w->n)) {
    int rc = wal_flush(f);
    if (rc != SQLITE_OK) return rc;
  }
  if (w->failed != SQLITE_OK) {
    if (at > w->failed_at) return w->failed;
    w->failed = SQLITE_OK;
  }
  if (!w->collected) w->collected = sqlite3_malloc64(COLLECT);
  if (!w->collected || n > COLLECT) return OWN(f)->xWrite(own(f), p, n, at);
  if (w->n == 0) w->at = at;
  memcpy(w->collected + w->n, p, n);
  w->n += n;
  return SQLITE_OK;
}

static int wal_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) {
  wal_file *w = (wal_file *)f;
  int rc = wal_flush(f);
  if (rc != SQLITE_OK) return rc;
  if (w->failed != SQLITE_OK && at + n > w->failed_at) return w->failed;
  return OWN(f)->xRead(own(f), p, n, at);
}

static int wal_close(sqlite3_file *f) {
  wal_file *w = (wal_file *)f;
  int rc = wal_flush(f);
  sqlite3_free(w->collected);
  close(w->fd);
  int closed = OWN(f)->xClose(own(f));
  return rc == SQLITE_OK ? closed : rc;
}

// After a flush, SQLite's own.
#define AFTER_FLUSH(call)        \
  do {                           \
    int rc = wal_flush(f);       \
    return rc == SQLITE_OK ? OWN(f)->call : rc; \
  } while (0)

static int wal_truncate(sqlite3_file *f, sqlite3_int64 n) { AFTER_FLUSH(xTruncate(own(f), n)); }
static int wal_size(sqlite3_file *f, sqlite3_int64 *n) { AFTER_FLUSH(xFileSize(own(f), n)); }
static int wal_lock(sqlite3_file *f, int k) { return OWN(f)->xLock(own(f), k); }
static int wal_unlock(sqlite3_file *f, int k) { return OWN(f)->xUnlock(own(f), k); }
static int wal_reserved(sqlite3_file *f, int *k) { return OWN(f)->xCheckReservedLock(own(f), k); }
static int wal_control(sqlite3_file *f, int op, void *p) { return OWN(f)->xFileControl(own(f), op, p); }
static int wal_sector(sqlite3_file *f) { return OWN(f)->xSectorSize(own(f)); }
static int wal_device(sqlite3_file *f) { return OWN(f)->xDeviceCharacteristics(own(f)); }

static int wal_sync(sqlite3_file *f, int flags) {
  wal_file *w = (wal_file *)f;
  int rc = wal_flush(f);
  if (rc != SQLITE_OK) return rc;
  if (!w->synced) {
    rc = OWN(f)->xSync(own(f), flags);
    w->synced = rc == SQLITE_OK;
    return rc;
  }
  do
    rc = fdatasync(w->fd);
  while (rc != 0 && errno == EINTR);
  return rc == 0 ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

static const sqlite3_io_methods wal_methods = {1,          wal_close, wal_read,   wal_write,    wal_truncate, wal_sync,  wal_size,
                                               wal_lock,   wal_unlock, wal_reserved, wal_control, wal_sector, wal_device};

static sqlite3_vfs *under; // SQLite's own

static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out) {
  (void)v;
  if (!(flags & SQLITE_OPEN_WAL)) return under->xOpen(under, name, f, flags, out);
  wal_file *w = (wal_file *)f;
  memset(w, 0, sizeof *w);
  int rc = under->xOpen(under, name, own(f), flags, out);
  if (rc == SQLITE_OK && (w->fd = open(name, O_RDONLY | O_CLOEXEC)) < 0) rc = SQLITE_CANTOPEN;
  if (rc == SQLITE_OK)
    w->base.pMethods = &wal_methods;
  else if (own(f)->pMethods)
    OWN(f)->xClose(own(f));
  return rc;
}

static sqlite3_vfs vfs;
static int registered = SQLITE_ERROR;

static void vfs_register(void) {
  under = sqlite3_vfs_find(OWN_VFS);
  if (!under) return;
  vfs = *under; // its other methods do not look at what they are called on
  vfs.szOsFile = under->szOsFile + (int)sizeof(wal_file);
  vfs.pNext = NULL;
  vfs.zName = "layercake";
  vfs.xOpen = vfs_open;
  registered = sqlite3_vfs_register(&vfs, 0);
}

// lc_vfs is the name of the file system to open a database with that only this process uses.
const char *lc_vfs(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, vfs_register);
  return registered == SQLITE_OK ? vfs.zName : "not registered";
}
#else
const char *lc_vfs(void) { return OWN_VFS; }
#endif
