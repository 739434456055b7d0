// The authorizer: what a statement that came from a client may touch. pgsql never emits anything that is refused here;
// this is the second lock on the door. It acts while SQLite compiles, so a prepared statement pays nothing.
#include "lc.h"

#include <string.h>

static int one_of(const char *name, const char *const *list) {
  for (; *list; list++)
    if (sqlite3_stricmp(name, *list) == 0) return 1;
  return 0;
}

// The table-valued functions that pgsql emits.
static const char *const allowed_tables[] = {"lc_rows", "lc_unnest", "lc_series", "json_each", NULL};

// Functions that reach outside the data or show the inside.
static const char *const refused_functions[] = {
    "load_extension", "fts3_tokenizer", "rtreecheck",  "rtreenode",   "rtreedepth",       "matchinfo",
    "snippet",        "offsets",        "optimize",    "sqlite_log",  "sqlite_source_id", "sqlite_compileoption_get",
    "sqlite_compileoption_used",        NULL};

static int internal_table(const char *name) {
  static const char *const virtual_tables[] = {"json_tree", "jsonb_each", "jsonb_tree", "fts3tokenize",
                                               "dbstat",    "bytecode",   "tables_used", NULL};
  if (one_of(name, allowed_tables)) return 0;
  if (sqlite3_strnicmp(name, "lc_", 3) == 0) return 1;
  if (sqlite3_strnicmp(name, "sqlite_", 7) == 0) return 1;
  if (sqlite3_strnicmp(name, "pragma_", 7) == 0) return 1;
  return one_of(name, virtual_tables);
}

int lc_authorize(void *arg, int action, const char *a, const char *b, const char *db, const char *trigger) {
  (void)db;
  (void)trigger;
  if (!((lc_conn *)arg)->guard) return SQLITE_OK;
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return b && one_of(b, refused_functions) ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_READ:
    case SQLITE_UPDATE:
    case SQLITE_INSERT:
    case SQLITE_DELETE:
      // An empty name is a subquery or the like.
      return a && internal_table(a) ? SQLITE_DENY : SQLITE_OK;
    default:
      return SQLITE_DENY;
  }
}
