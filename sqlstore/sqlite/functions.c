// Registration of the C functions on a connection.
#include "lc.h"

static int register_functions(lc_conn *c, const lc_def *d) {
  int rc = SQLITE_OK;
  for (; rc == SQLITE_OK && d->name; d++) {
    int flags = SQLITE_UTF8 | (d->nondeterministic ? SQLITE_DIRECTONLY : SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS);
    int from = d->max < 0 ? -1 : d->min, to = d->max;
    for (int n = from; rc == SQLITE_OK && n <= to; n++)
      rc = sqlite3_create_function_v2(c->db, d->name, n, flags, (void *)d->arg, d->fn, NULL, NULL, NULL);
  }
  return rc;
}

static int register_aggregates(lc_conn *c, const lc_agg *a) {
  int rc = SQLITE_OK;
  for (; rc == SQLITE_OK && a->name; a++) {
    int from = a->max < 0 ? -1 : a->min, to = a->max;
    for (int n = from; rc == SQLITE_OK && n <= to; n++)
      rc = sqlite3_create_window_function(c->db, a->name, n, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                          (void *)a->arg, a->step, a->final, a->value, a->inverse, NULL);
  }
  return rc;
}

// LCKEY compares what stands before the first '|': the key of an interval or a timetz.
static int key_collation(void *arg, int na, const void *a, int nb, const void *b) {
  (void)arg;
  const unsigned char *p = a, *q = b;
  for (int i = 0;; i++) {
    int x = i < na && p[i] != '|' ? p[i] : -1, y = i < nb && q[i] != '|' ? q[i] : -1;
    if (x != y) return x - y;
    if (x < 0) return 0;
  }
}

int lc_register_all(lc_conn *c) {
  static const lc_def *const functions[] = {lc_integer_functions, lc_float_functions, lc_math_functions,
                                            lc_row_functions,     lc_numeric_functions, lc_numeric_casts,
                                            lc_array_functions,   lc_array_searches,  lc_text_functions};
  static const lc_agg *const aggregates[] = {lc_row_aggregates, lc_numeric_aggregates, lc_float_aggregates,
                                             lc_other_aggregates};
  int rc = sqlite3_create_collation_v2(c->db, "LCKEY", SQLITE_UTF8, NULL, key_collation, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_create_collation_v2(c->db, "LCJSON", SQLITE_UTF8, NULL, lc_jsonb_collation, NULL);
  for (size_t i = 0; rc == SQLITE_OK && i < sizeof functions / sizeof *functions; i++)
    rc = register_functions(c, functions[i]);
  for (size_t i = 0; rc == SQLITE_OK && i < sizeof aggregates / sizeof *aggregates; i++)
    rc = register_aggregates(c, aggregates[i]);
  if (rc == SQLITE_OK) rc = lc_register_case(c);
  if (rc == SQLITE_OK) rc = lc_register_tables(c);
  return rc;
}
