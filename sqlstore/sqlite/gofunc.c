// The way from SQLite into Go functions.
#include "lc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern void lcGoCall(lc_gocall *call);

typedef struct go_func {
  lc_conn *conn;
  int id;
  int (*fails)(sqlite3_value **argv);  // says of most arguments, none of them NULL, that the result is false
} go_func;

static void trampoline(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  go_func *f = sqlite3_user_data(ctx);
  lc_conn *c = f->conn;
  if (f->fails && !lc_null(argc, argv) && f->fails(argv)) {
    sqlite3_result_int64(ctx, 0);
    return;
  }
  uint8_t small[256];
  // The scratch buffer is taken off the connection for the call: the Go function may run statements that call others.
  lc_buf args = c->scratch;
  memset(&c->scratch, 0, sizeof c->scratch);
  args.len = 0;
  args.oom = 0;
  for (int i = 0; i < argc; i++) lc_encode_sqlite(&args, argv[i]);
  if (args.oom) {
    lc_buf_free(&args);
    sqlite3_result_error_nomem(ctx);
    return;
  }
  lc_gocall call = {.conn = c->handle,
                    .id = f->id,
                    .nargs = argc,
                    .args = args.p,
                    .len = args.len,
                    .lenient = lc_lenient,
                    .out = small,
                    .outcap = sizeof small};
  lcGoCall(&call);
  lc_value v;
  if (call.failed) {
    sqlite3_result_error(ctx, "LCGO:", -1);
  } else if (!lc_decode(call.out, call.out + call.outlen, &v)) {
    sqlite3_result_error_nomem(ctx);
  } else {
    lc_result(ctx, &v);
  }
  if (call.out != small) free(call.out);
  if (c->scratch.p || args.cap > 65536)
    lc_buf_free(&args);
  else
    c->scratch = args;
}

int lc_register_go(lc_conn *c, const char *name, int nargs, int flags, int id) {
  go_func *f = malloc(sizeof *f);
  if (!f) return SQLITE_NOMEM;
  f->conn = c;
  f->id = id;
  f->fails = strcmp(name, "lc_jsonb_contains") == 0 ? lc_jsonb_lacks : strcmp(name, "lc_jsonb_exists") == 0 ? lc_jsonb_keyless : NULL;
  return sqlite3_create_function_v2(c->db, name, nargs, SQLITE_UTF8 | flags, f, trampoline, NULL, NULL, free);
}

// of_statement is pgerror.OfStatement.
static int of_statement(const char *sqlstate) {
  static const char *const others[] = {"53", "57", "40", "XX"};
  for (int i = 0; i < 4; i++)
    if (strncmp(sqlstate, others[i], 2) == 0) return 0;
  return 1;
}

void lc_error(sqlite3_context *ctx, const char *sqlstate, const char *format, ...) {
  if (lc_lenient && of_statement(sqlstate)) {
    sqlite3_result_null(ctx);
    return;
  }
  char small[512], *big = NULL;
  int head = snprintf(small, sizeof small, "LC%.5s:", sqlstate);
  va_list ap;
  va_start(ap, format);
  int n = vsnprintf(small + head, sizeof small - (size_t)head, format, ap);
  va_end(ap);
  if (n >= (int)sizeof small - head && (big = malloc((size_t)(n + head) + 1)) != NULL) {
    memcpy(big, small, (size_t)head);
    va_start(ap, format);
    vsnprintf(big + head, (size_t)n + 1, format, ap);
    va_end(ap);
  }
  sqlite3_result_error(ctx, big ? big : small, -1);
  free(big);
}
