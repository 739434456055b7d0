// Functions on text and bytea (src/backend/utils/adt/varlena.c, oracle_compat.c, like_match.c, varchar.c). Text is
// UTF-8; bytes that are not are taken as characters of their own, so that nothing here can run past the end.
#define _GNU_SOURCE  // memmem
#include <stdlib.h>
#include <string.h>

#include "lc.h"

extern void lcGoCall(lc_gocall *call);

// A view of a TEXT or BLOB argument, never with a null pointer.
typedef struct str {
  const uint8_t *p;
  int64_t n;
} str;

static str str_arg(sqlite3_value *v) {
  str s = {sqlite3_value_blob(v), 0};
  if (s.p)
    s.n = sqlite3_value_bytes(v);
  else
    s.p = (const uint8_t *)"";
  return s;
}

static void give(sqlite3_context *ctx, const uint8_t *p, int64_t n) {
  sqlite3_result_text64(ctx, (const char *)p, (sqlite3_uint64)n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void give_blob(sqlite3_context *ctx, const uint8_t *p, int64_t n) {
  sqlite3_result_blob64(ctx, p, (sqlite3_uint64)n, SQLITE_TRANSIENT);
}

static int continuation(uint8_t c) { return (c & 0xc0) == 0x80; }

// next returns the length of the character at p.
static int64_t next(const uint8_t *p, const uint8_t *end) {
  int64_t n = 1;
  if (*p < 0xc0) return 1;
  while (n < 4 && p + n < end && continuation(p[n])) n++;
  return n;
}

static int64_t characters(str s) {
  int64_t n = 0;
  for (int64_t i = 0; i < s.n; i++) n += !continuation(s.p[i]);
  return n;
}

// skip returns what is left of s after n characters.
static str skip(str s, int64_t n) {
  const uint8_t *end = s.p + s.n;
  while (n-- > 0 && s.p < end) s.p += next(s.p, end);
  s.n = end - s.p;
  return s;
}

static str head(str s, int64_t n) {
  str rest = skip(s, n);
  s.n = rest.p - s.p;
  return s;
}

static int ascii(str s) {
  uint8_t any = 0;
  for (int64_t i = 0; i < s.n; i++) any |= s.p[i];
  return any < 0x80;
}

static void length(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  sqlite3_result_int64(ctx, characters(str_arg(argv[0])));
}

// substr(s, start[, length]): positions before the first character count too.
static void substr(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  int bytes = (int)lc_arg(ctx);
  str s = str_arg(argv[0]);
  int64_t from = lc_int4(argv[1]), n = INT64_MAX;
  if (argc > 2) {
    n = lc_int4(argv[2]);
    if (n < 0) {
      lc_error(ctx, "22011", "negative substring length not allowed");
      return;
    }
    if (from < 1) n = n + from - 1 > 0 ? n + from - 1 : 0;
  }
  if (from < 1) from = 1;
  if (bytes) {
    if (from > s.n) from = s.n + 1;
    if (n > s.n - from + 1) n = s.n - from + 1;
    give_blob(ctx, s.p + from - 1, n);
    return;
  }
  s = skip(s, from - 1);
  if (n != INT64_MAX) s = head(s, n);
  give(ctx, s.p, s.n);
}

static void position(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  str sub = str_arg(argv[0]), s = str_arg(argv[1]);
  const uint8_t *at = sub.n ? memmem(s.p, (size_t)s.n, sub.p, (size_t)sub.n) : s.p;
  str before = {s.p, at ? at - s.p : 0};
  sqlite3_result_int64(ctx, !at ? 0 : 1 + (lc_arg(ctx) ? before.n : characters(before)));
}

static void left_or_right(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  str s = str_arg(argv[0]);
  int64_t n = lc_int4(argv[1]);
  if (lc_arg(ctx) == 'l') {
    if (n < 0) n = characters(s) + n;
    s = head(s, n < 0 ? 0 : n);
  } else {
    s = skip(s, n < 0 ? -n : characters(s) - n);
  }
  give(ctx, s.p, s.n);
}

static void starts_with(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  str s = str_arg(argv[0]), p = str_arg(argv[1]);
  sqlite3_result_int64(ctx, p.n <= s.n && memcmp(s.p, p.p, (size_t)p.n) == 0);
}

static int in_set(const uint8_t *c, int64_t n, str set) {
  for (const uint8_t *p = set.p, *end = set.p + set.n; p < end;) {
    int64_t m = next(p, end);
    if (m == n && memcmp(p, c, (size_t)n) == 0) return 1;
    p += m;
  }
  return 0;
}

static void trim(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  str s = str_arg(argv[0]), set = {(const uint8_t *)" ", 1};
  if (argc > 1) set = str_arg(argv[1]);
  const uint8_t *end = s.p + s.n;
  int sides = (int)lc_arg(ctx);
  while (sides & 1 && s.p < end) {
    int64_t n = next(s.p, end);
    if (!in_set(s.p, n, set)) break;
    s.p += n;
  }
  while (sides & 2 && s.p < end) {
    const uint8_t *c = end - 1;
    while (c > s.p && end - c < 4 && continuation(*c)) c--;
    if (!in_set(c, end - c, set)) break;
    end = c;
  }
  give(ctx, s.p, end - s.p);
}

static void reverse(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  str s = str_arg(argv[0]);
  uint8_t *out = malloc((size_t)s.n + 1), *to = out + s.n;
  if (!out) {
    sqlite3_result_error_nomem(ctx);
    return;
  }
  for (const uint8_t *p = s.p, *end = s.p + s.n; p < end;) {
    int64_t n = next(p, end);
    to -= n;
    memcpy(to, p, (size_t)n);
    p += n;
  }
  sqlite3_result_text64(ctx, (char *)out, (sqlite3_uint64)s.n, free, SQLITE_UTF8);
}

static void repeat(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  str s = str_arg(argv[0]);
  int64_t n = lc_int4(argv[1]);
  if (n < 0) n = 0;
  if (s.n && n > 1000000000 / s.n) {
    lc_error(ctx, "54000", "requested length too large");
    return;
  }
  if (s.n == 0) n = 0;
  uint8_t *out = malloc((size_t)(s.n * n) + 1);
  if (!out) {
    sqlite3_result_error_nomem(ctx);
    return;
  }
  for (int64_t i = 0; i < n; i++) memcpy(out + i * s.n, s.p, (size_t)s.n);
  sqlite3_result_text64(ctx, (char *)out, (sqlite3_uint64)(s.n * n), free, SQLITE_UTF8);
}

// fold maps a text to upper or lower case into b: ASCII here, anything else in Go.
static int fold(lc_conn *c, int upper, str s, lc_buf *b) {
  b->len = 0;
  if (ascii(s)) {
    if (!lc_buf_reserve(b, s.n + 1)) return 0;
    uint8_t from = upper ? 'a' : 'A';
    for (int64_t i = 0; i < s.n; i++) b->p[i] = s.p[i] ^ ((uint8_t)(s.p[i] - from) < 26 ? 0x20 : 0);
    b->len = s.n;
    return 1;
  }
  lc_buf arg = {0};
  lc_value v = {.kind = LC_TEXT, .p = s.p, .n = s.n};
  lc_encode(&arg, &v);
  if (arg.oom) return 0;
  lc_gocall call = {.conn = c->handle, .id = upper ? LC_GO_UPPER : LC_GO_LOWER, .nargs = 1, .args = arg.p, .len = arg.len};
  lcGoCall(&call);
  lc_buf_free(&arg);
  if (!call.failed && lc_decode(call.out, call.out + call.outlen, &v)) lc_buf_add(b, v.p, v.n);
  free(call.out);
  return !call.failed && !b->oom;
}

static void change_case(sqlite3_context *ctx, int argc, sqlite3_value **argv, int upper) {
  if (lc_null(argc, argv)) return;
  lc_buf b = {0};
  if (!fold(sqlite3_user_data(ctx), upper, str_arg(argv[0]), &b)) {
    lc_buf_free(&b);
    sqlite3_result_error_nomem(ctx);
  } else if (b.len == 0) {
    lc_buf_free(&b);
    give(ctx, (const uint8_t *)"", 0);
  } else {
    sqlite3_result_text64(ctx, (char *)b.p, (sqlite3_uint64)b.len, free, SQLITE_UTF8);
  }
}

static void upper(sqlite3_context *ctx, int argc, sqlite3_value **argv) { change_case(ctx, argc, argv, 1); }
static void lower(sqlite3_context *ctx, int argc, sqlite3_value **argv) { change_case(ctx, argc, argv, 0); }

// jump returns the first place from s where what follows a % may begin, or end when there is none.
static const uint8_t *jump(const uint8_t *s, const uint8_t *end, const uint8_t *q, str esc) {
  if (*q == '_' || *q == '%' || (esc.n && *q == esc.p[0])) return s;
  const uint8_t *p = memchr(s, *q, (size_t)(end - s));
  return p ? p : end;
}

// match says whether t is like p: 1 or 0, or −1 when the pattern ends with the escape character. A failure goes back to
// the last % only, which is enough: what an earlier one could match more of, the last one can too.
static int match(str t, str p, str esc, int bytes) {
  const uint8_t *s = t.p, *send = t.p + t.n, *q = p.p, *qend = p.p + p.n, *star = NULL, *from = NULL;
  while (s < send) {
    if (q < qend) {
      if (esc.n && qend - q >= esc.n && memcmp(q, esc.p, (size_t)esc.n) == 0) {
        if (qend - q == esc.n) return -1;
        if (q[esc.n] == *s) {
          q += esc.n + 1;
          s++;
          continue;
        }
      } else if (*q == '%') {
        star = ++q;
        if (q == qend) return 1;
        s = from = jump(s, send, q, esc);
        continue;
      } else if (*q == '_') {
        s += bytes ? 1 : next(s, send);
        q++;
        continue;
      } else if (*q == *s) {
        q++;
        s++;
        continue;
      }
    }
    if (!star) return 0;
    from += bytes ? 1 : next(from, send);
    s = from = jump(from, send, star, esc);
    q = star;
  }
  while (q < qend && *q == '%') q++;
  return q == qend;
}

static void like_strings(sqlite3_context *ctx, int argc, sqlite3_value **argv, str t, str p, int bytes) {
  str esc = {(const uint8_t *)"\\", 1};
  if (argc > 2) {
    esc = str_arg(argv[2]);
    if (bytes ? esc.n > 1 : characters(esc) > 1) {
      lc_error(ctx, "22025", "invalid escape string\x01" "Escape string must be empty or one character.");
      return;
    }
  }
  int r = match(t, p, esc, bytes);
  if (r < 0)
    lc_error(ctx, "22025", "LIKE pattern must not end with escape character");
  else
    sqlite3_result_int64(ctx, r);
}

static void like(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  like_strings(ctx, argc, argv, str_arg(argv[0]), str_arg(argv[1]), (int)lc_arg(ctx));
}

static void ilike(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  lc_conn *c = sqlite3_user_data(ctx);
  lc_buf t = {0}, p = {0};
  if (!fold(c, 0, str_arg(argv[0]), &t) || !fold(c, 0, str_arg(argv[1]), &p)) {
    sqlite3_result_error_nomem(ctx);
  } else {
    str a = {t.p ? t.p : (const uint8_t *)"", t.len}, b = {p.p ? p.p : (const uint8_t *)"", p.len};
    like_strings(ctx, argc, argv, a, b, 0);
  }
  lc_buf_free(&t);
  lc_buf_free(&p);
}

// fixed_prefix writes to out what every text begins with that a pattern matches: one of LIKE ('l'), a regular expression
// ('r'), or the argument of ^@ ('s').
static int64_t fixed_prefix(str p, int kind, uint8_t *out) {
  int64_t i = 0, n = 0, last = 0;
  if (kind == 's') {
    memcpy(out, p.p, (size_t)p.n);
    return p.n;
  }
  if (kind == 'l') {
    for (; i < p.n && p.p[i] != '%' && p.p[i] != '_'; i++) {
      if (p.p[i] == '\\' && ++i == p.n) break;
      out[n++] = p.p[i];
    }
    return n;
  }
  // Of a regular expression only what needs no understanding: ^, then letters, digits and the like.
  if (!p.n || p.p[0] != '^' || memchr(p.p, '|', (size_t)p.n)) return 0;
  for (i = 1; i < p.n; i++) {
    uint8_t c = p.p[i];
    if (!(c >= 0x80 || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') || (c && strchr(" _-@/:,", c)))) break;
    if (!continuation(c)) last = n;
    out[n++] = c;
  }
  if (i < p.n && memchr("*?{", p.p[i], 3)) n = last;  // the last character may be missing
  return n;
}

// after makes of a text the least one that is greater than all that begin with it. It returns 0 if there is none.
static int64_t after(uint8_t *t, int64_t n) {
  while (n > 0) {
    int64_t at = n - 1;
    while (at > 0 && continuation(t[at])) at--;
    // The bytes of UTF-8 are in the order of the characters: count the last one up, past the surrogates.
    uint32_t c = t[at];
    int64_t more = n - at - 1;
    if (more) {
      c &= 0x3f >> more;
      for (int64_t i = 1; i <= more; i++) c = c << 6 | (t[at + i] & 0x3f);
    }
    if (++c == 0xd800) c = 0xe000;
    if (c > 0x10ffff) {
      n = at;
      continue;
    }
    uint8_t *q = t + at;
    if (c < 0x80) {
      *q++ = (uint8_t)c;
    } else if (c < 0x800) {
      *q++ = (uint8_t)(0xc0 | c >> 6);
      *q++ = (uint8_t)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
      *q++ = (uint8_t)(0xe0 | c >> 12);
      *q++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
      *q++ = (uint8_t)(0x80 | (c & 0x3f));
    } else {
      *q++ = (uint8_t)(0xf0 | c >> 18);
      *q++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
      *q++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
      *q++ = (uint8_t)(0x80 | (c & 0x3f));
    }
    return q - t;
  }
  return 0;
}

// lc_…_from and lc_…_to(pattern): what a pattern matches is not less than the one and less than the other. A BLOB, which
// is greater than all texts, says that there is no end.
static void prefix_bound(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  str p = str_arg(argv[0]);
  int kind = (int)lc_arg(ctx), to = kind < 'a';
  uint8_t *out = malloc((size_t)p.n + 4);
  if (!out) {
    sqlite3_result_error_nomem(ctx);
    return;
  }
  int64_t n = fixed_prefix(p, kind | 0x20, out);
  if (to && !(n = after(out, n)))
    give_blob(ctx, (const uint8_t *)"", 0);
  else
    give(ctx, out, n);
  free(out);
}

static void blob_cat(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  str a = str_arg(argv[0]), b = str_arg(argv[1]);
  uint8_t *out = malloc((size_t)(a.n + b.n) + 1);
  if (!out) {
    sqlite3_result_error_nomem(ctx);
    return;
  }
  memcpy(out, a.p, (size_t)a.n);
  memcpy(out + a.n, b.p, (size_t)b.n);
  sqlite3_result_blob64(ctx, out, (sqlite3_uint64)(a.n + b.n), free);
}

static str without_trailing_blanks(str s) {
  while (s.n && s.p[s.n - 1] == ' ') s.n--;
  return s;
}

// lc_bppad(s, typmod): a bpchar as it is shown.
static void pad(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  str s = str_arg(argv[0]);
  int64_t want = lc_int4(argv[1]) - 4, more = want - characters(s);
  if (want < 0 || more <= 0) {
    give(ctx, s.p, s.n);
    return;
  }
  uint8_t *out = more < 100000000 ? malloc((size_t)(s.n + more)) : NULL;
  if (!out) {
    sqlite3_result_error_nomem(ctx);
    return;
  }
  memcpy(out, s.p, (size_t)s.n);
  memset(out + s.n, ' ', (size_t)more);
  sqlite3_result_text64(ctx, (char *)out, (sqlite3_uint64)(s.n + more), free, SQLITE_UTF8);
}

// lc_varchar_typmod and lc_bpchar_typmod (s, typmod, explicit): too long a text is cut where the cast is explicit or
// only blanks are lost, else an error. A bpchar loses its trailing blanks here.
static void limit_length(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  if (lc_null(2, argv)) return;
  str s = str_arg(argv[0]);
  int64_t most = lc_int4(argv[1]) - 4;
  int fixed = (int)lc_arg(ctx);
  if (most >= 0 && s.n > most) {
    str rest = skip(s, most);
    if (rest.n && !lc_int4(argv[2]) && without_trailing_blanks(rest).n) {
      lc_error(ctx, "22001", "value too long for type character%s(%d)", fixed ? "" : " varying", (int)most);
      return;
    }
    s.n -= rest.n;
  }
  if (fixed) s = without_trailing_blanks(s);
  give(ctx, s.p, s.n);
}

static void to_name(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  str s = str_arg(argv[0]);
  if (s.n > 63) {
    s.n = 63;
    while (s.n > 59 && continuation(s.p[s.n])) s.n--;
  }
  give(ctx, s.p, s.n);
}

const lc_def lc_text_functions[] = {
    {"lc_length", 1, 1, length, 0, 0},
    {"lc_substr", 2, 3, substr, 0, 0},
    {"lc_bsubstr", 2, 3, substr, 1, 0},
    {"lc_position", 2, 2, position, 0, 0},
    {"lc_bposition", 2, 2, position, 1, 0},
    {"lc_left", 2, 2, left_or_right, 'l', 0},
    {"lc_right", 2, 2, left_or_right, 'r', 0},
    {"lc_starts_with", 2, 2, starts_with, 0, 0},
    {"lc_ltrim", 1, 2, trim, 1, 0},
    {"lc_rtrim", 1, 2, trim, 2, 0},
    {"lc_btrim", 1, 2, trim, 3, 0},
    {"lc_reverse", 1, 1, reverse, 0, 0},
    {"lc_repeat", 2, 2, repeat, 0, 0},
    {"lc_like", 2, 3, like, 0, 0},
    {"lc_blike", 2, 3, like, 1, 0},
    {"lc_like_from", 1, 1, prefix_bound, 'l', 0},
    {"lc_like_to", 1, 1, prefix_bound, 'L', 0},
    {"lc_starts_from", 1, 1, prefix_bound, 's', 0},
    {"lc_starts_to", 1, 1, prefix_bound, 'S', 0},
    {"lc_regex_from", 1, 1, prefix_bound, 'r', 0},
    {"lc_regex_to", 1, 1, prefix_bound, 'R', 0},
    {"lc_bcat", 2, 2, blob_cat, 0, 0},
    {"lc_bppad", 2, 2, pad, 0, 0},
    {"lc_varchar_typmod", 3, 3, limit_length, 0, 0},
    {"lc_bpchar_typmod", 3, 3, limit_length, 1, 0},
    {"lc_name", 1, 1, to_name, 0, 0},
    LC_END,
};

int lc_register_case(lc_conn *c) {
  int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  int rc = sqlite3_create_function_v2(c->db, "lc_upper", 1, flags, c, upper, NULL, NULL, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_create_function_v2(c->db, "lc_lower", 1, flags, c, lower, NULL, NULL, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_create_function_v2(c->db, "lc_ilike", 2, flags, c, ilike, NULL, NULL, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_create_function_v2(c->db, "lc_ilike", 3, flags, c, ilike, NULL, NULL, NULL);
  return rc;
}
