// Exact numbers and text: the stored, order-preserving form, PostgreSQL's input and output, and the fast path for
// numbers of few digits.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "num.h"

// The stored form is the class, for a number its exponent and digits, then a space for each zero that is shown beyond
// the last digit. The value is 0.d1d2… × 10^exp, d1 and the last digit not zero; of a negative number all is
// complemented so that the bytes sort the other way round.
typedef struct stored {
  char class;
  int exp, spaces;
  const uint8_t *d;  // complemented in a negative number
  int n;
} stored;

static int six(const uint8_t *p) {
  int v = 0;
  for (int i = 0; i < 6; i++) {
    if (p[i] < '0' || p[i] > '9') return -1;
    v = v * 10 + (p[i] - '0');
  }
  return v;
}

static int parse(const uint8_t *p, int64_t n, stored *s) {
  const uint8_t *end = p + n;
  s->spaces = 0;
  while (end > p && end[-1] == ' ') end--, s->spaces++;
  if (end == p || s->spaces > NUM_DSCALE_MAX + 1) return 0;
  s->class = (char)*p++;
  s->n = 0;
  s->exp = 0;
  s->d = p;
  switch (s->class) {
    case '0': case '4': case '5':
      return p == end && s->spaces == 0;
    case '2':
      return p == end;
    case '1': case '3':
      break;
    default:
      return 0;
  }
  if (p == end) return 0;
  int neg = s->class == '1', c = *p++, v;
  if (c >= 0x27 && c <= 0x77) {
    s->exp = neg ? 0x4f - c : c - 0x4f;
  } else {
    if ((c != '~' && c != '!') || end - p < 6 || (v = six(p)) < 0) return 0;
    p += 6;
    if (neg) v = 999999 - v;
    s->exp = (c == '~') != neg ? v : v - 20000;
    if (s->exp >= -40 && s->exp <= 40) return 0;
  }
  if (neg) {
    if (p == end || end[-1] != '~') return 0;
    end--;
  }
  s->d = p;
  int64_t digits = end - p;
  if (digits < 1 || digits > 200000) return 0;
  s->n = (int)digits;
  for (; p < end; p++)
    if (*p < '0' || *p > '9') return 0;
  return 1;
}

static int natural_scale(const stored *s) { return s->n > s->exp ? s->n - s->exp : 0; }

num num_decode(calc *k, const uint8_t *p, int64_t n) {
  stored s;
  if (!p || !parse(p, n, &s)) num_fail(k, "XX001", "malformed numeric");
  switch (s.class) {
    case '0':
      return num_ninf;
    case '4':
      return num_pinf;
    case '5':
      return num_nan;
  }
  num r = {s.class == '1' ? NUM_NEG : NUM_POS, 0, 0, natural_scale(&s) + s.spaces, NULL};
  if (r.dscale > NUM_DSCALE_MAX || s.exp > (NUM_WEIGHT_MAX + 1) * NUM_DIGITS) num_fail(k, "XX001", "malformed numeric");
  if (s.class == '2') return r;
  // The first digit stands at decimal place exp−1; groups of four end at multiples of four.
  int groups = s.exp > 0 ? (s.exp + 3) / 4 : -(-s.exp / 4);  // base-10000 places before the point, ceiling of exp/4
  int lead = groups * 4 - s.exp;                             // zeros before the first digit in its group
  int nd = (lead + s.n + 3) / 4;
  r.d = (int16_t *)num_alloc(k, (size_t)(nd + 1) * sizeof *r.d) + 1;
  r.d[-1] = 0;
  r.nd = nd;
  r.weight = groups - 1;
  int at = -lead, flip = s.class == '1';
  for (int g = 0; g < nd; g++) {
    int v = 0;
    for (int i = 0; i < 4; i++, at++) {
      int d = at >= 0 && at < s.n ? s.d[at] - '0' : 0;
      if (flip && at >= 0 && at < s.n) d = 9 - d;
      v = v * 10 + d;
    }
    r.d[g] = (int16_t)v;
  }
  while (r.nd > 0 && r.d[r.nd - 1] == 0) r.nd--;
  while (r.nd > 0 && r.d[0] == 0) r.d++, r.nd--, r.weight--;
  if (r.nd == 0) r.weight = 0, r.sign = NUM_POS;
  return r;
}

static void put_exponent(lc_buf *b, int e, int neg) {
  char s[16];
  if (e >= -40 && e <= 40) {
    lc_buf_byte(b, (uint8_t)(neg ? 0x4f - e : 0x4f + e));
    return;
  }
  int v = e > 40 ? e : e + 20000;
  snprintf(s, sizeof s, "%c%06d", (e > 40) != neg ? '~' : '!', neg ? 999999 - v : v);
  lc_buf_add(b, s, 7);
}

static void put_spaces(lc_buf *b, int n) {
  if (n <= 0 || !lc_buf_reserve(b, n)) return;
  memset(b->p + b->len, ' ', (size_t)n);
  b->len += n;
}

void num_encode(lc_buf *b, const num *a) {
  if (num_special(a)) {
    lc_buf_byte(b, a->sign == NUM_NINF ? '0' : a->sign == NUM_PINF ? '4' : '5');
    return;
  }
  if (a->nd == 0) {
    lc_buf_byte(b, '2');
    put_spaces(b, a->dscale);
    return;
  }
  int neg = a->sign == NUM_NEG, first = a->d[0];
  int lead = first >= 1000 ? 0 : first >= 100 ? 1 : first >= 10 ? 2 : 3;
  int exp = (a->weight + 1) * NUM_DIGITS - lead;
  lc_buf_byte(b, neg ? '1' : '3');
  put_exponent(b, exp, neg);
  if (!lc_buf_reserve(b, (int64_t)a->nd * 4 + 1)) return;
  uint8_t *p = b->p + b->len, *start = p;
  for (int g = 0; g < a->nd; g++) {
    int v = a->d[g];
    uint8_t q[4] = {(uint8_t)(v / 1000), (uint8_t)(v / 100 % 10), (uint8_t)(v / 10 % 10), (uint8_t)(v % 10)};
    for (int i = g == 0 ? lead : 0; i < 4; i++) *p++ = q[i];
  }
  while (p[-1] == 0) p--;
  int n = (int)(p - start);
  for (uint8_t *q = start; q < p; q++) *q = (uint8_t)('0' + (neg ? 9 - *q : *q));
  if (neg) *p++ = '~';
  b->len += p - start;
  put_spaces(b, a->dscale - (n > exp ? n - exp : 0));
}

num num_arg(calc *k, sqlite3_value *v) {
  switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER:
      return num_of_int(k, sqlite3_value_int64(v));
    case SQLITE_TEXT: {
      const uint8_t *p = sqlite3_value_blob(v);
      return num_decode(k, p, sqlite3_value_bytes(v));
    }
  }
  num_fail(k, "XX001", "malformed numeric");
}

void num_result(sqlite3_context *ctx, calc *k, const num *a) {
  if (!num_special(a) && ((a->nd && a->weight > NUM_WEIGHT_MAX) || a->dscale > NUM_DSCALE_MAX)) num_overflow(k);
  lc_buf b = {0};
  num_encode(&b, a);
  if (b.oom) {
    sqlite3_result_error_nomem(ctx);
    lc_buf_free(&b);
  } else {
    sqlite3_result_text64(ctx, (const char *)b.p, (sqlite3_uint64)b.len, free, SQLITE_UTF8);
  }
}

// PostgreSQL's text form.

void num_to_text(lc_buf *b, const num *a) {
  if (num_special(a)) {
    const char *s = a->sign == NUM_NAN ? "NaN" : a->sign == NUM_PINF ? "Infinity" : "-Infinity";
    lc_buf_add(b, s, (int64_t)strlen(s));
    return;
  }
  if (a->sign == NUM_NEG) lc_buf_byte(b, '-');
  char g[8];
  if (a->nd == 0 || a->weight < 0) {
    lc_buf_byte(b, '0');
  } else {
    for (int i = 0; i <= a->weight; i++) {
      int n = snprintf(g, sizeof g, i ? "%04d" : "%d", i < a->nd ? a->d[i] : 0);
      lc_buf_add(b, g, n);
    }
  }
  if (a->dscale > 0) {
    lc_buf_byte(b, '.');
    int left = a->dscale;
    for (int w = -1; left > 0; w--, left -= 4) {
      int i = a->nd ? a->weight - w : -1;
      snprintf(g, sizeof g, "%04d", i >= 0 && i < a->nd ? a->d[i] : 0);
      lc_buf_add(b, g, left < 4 ? left : 4);
    }
  }
}

static void bad_syntax(calc *k, const char *s, int64_t n) {
  // The text is quoted in the message, which must outlive the jump.
  static const char head[] = "invalid input syntax for type numeric: \"";
  char *m = num_alloc(k, sizeof head + (size_t)n + 2);
  memcpy(m, head, sizeof head - 1);
  memcpy(m + sizeof head - 1, s, (size_t)n);
  memcpy(m + sizeof head - 1 + n, "\"", 2);
  num_fail(k, "22P02", m);
}

static int blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

num num_of_text(calc *k, const char *s, int64_t n) {
  const char *p = s, *end = s + n;
  while (p < end && blank(*p)) p++;
  while (end > p && blank(end[-1])) end--;
  static const struct {
    const char *name;
    const num *value;
  } words[] = {{"NaN", &num_nan},        {"Infinity", &num_pinf}, {"+Infinity", &num_pinf}, {"-Infinity", &num_ninf},
               {"inf", &num_pinf},       {"+inf", &num_pinf},     {"-inf", &num_ninf}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strlen(words[i].name) == (size_t)(end - p) && strncasecmp(p, words[i].name, (size_t)(end - p)) == 0)
      return *words[i].value;
  num r = {NUM_POS, 0, 0, 0, NULL};
  if (p < end && (*p == '+' || *p == '-')) r.sign = *p++ == '-' ? NUM_NEG : NUM_POS;
  const char *digits = p;
  const char *point = NULL;
  int64_t count = 0;
  for (; p < end; p++) {
    if (*p == '.' && !point)
      point = p;
    else if (*p >= '0' && *p <= '9')
      count++;
    else
      break;
  }
  const char *stop = p;
  if (count == 0) bad_syntax(k, s, n);
  int64_t exponent = 0;
  if (p < end && (*p == 'e' || *p == 'E')) {
    int neg = 0;
    p++;
    while (p < end && blank(*p)) p++;  // strtol's doing
    if (p < end && (*p == '+' || *p == '-')) neg = *p++ == '-';
    if (p == end) bad_syntax(k, s, n);
    for (; p < end && *p >= '0' && *p <= '9'; p++)
      if (exponent < 2000000000) exponent = exponent * 10 + (*p - '0');
    if (p[-1] < '0' || p[-1] > '9') bad_syntax(k, s, n);
    if (exponent >= 1073741823) {
      if (p != end) bad_syntax(k, s, n);
      num_overflow(k);
    }
    if (neg) exponent = -exponent;
  }
  if (p != end) bad_syntax(k, s, n);
  int64_t after = point ? stop - point - 1 : 0;
  int64_t dscale = after - exponent;
  if (dscale < 0) dscale = 0;
  // Leading zeros do not count towards the size.
  const char *q = digits;
  int64_t place = count - after + exponent;  // decimal places before the point
  while (q < stop && (*q == '0' || *q == '.')) {
    if (*q == '0') place--, count--;
    q++;
  }
  if (count == 0) {
    if (dscale > NUM_DSCALE_MAX) num_overflow(k);
    r.sign = NUM_POS;
    r.dscale = (int)dscale;
    return r;
  }
  if (place > (NUM_WEIGHT_MAX + 1) * NUM_DIGITS || dscale > NUM_DSCALE_MAX || count > 200000) num_overflow(k);
  int64_t groups = place > 0 ? (place + 3) / 4 : -(-place / 4);
  int lead = (int)(groups * 4 - place);
  int64_t nd = (lead + count + 3) / 4;
  r.d = (int16_t *)num_alloc(k, (size_t)(nd + 1) * sizeof *r.d) + 1;
  r.d[-1] = 0;
  r.nd = (int)nd;
  r.weight = (int)groups - 1;
  r.dscale = (int)dscale;
  int v = 0, in = lead, g = 0;
  for (; q < stop; q++) {
    if (*q == '.') continue;
    v = v * 10 + (*q - '0');
    if (++in == 4) {
      r.d[g++] = (int16_t)v;
      v = in = 0;
    }
  }
  if (g < nd) {
    for (; in < 4; in++) v *= 10;
    r.d[g] = (int16_t)v;
  }
  while (r.nd > 0 && r.d[r.nd - 1] == 0) r.nd--;
  while (r.nd > 0 && r.d[0] == 0) r.d++, r.nd--, r.weight--;
  if (r.nd == 0) r.weight = 0, r.sign = NUM_POS;
  return r;
}

// The fast path.

int num_small_decode(const uint8_t *p, int64_t n, num_small *out) {
  if (n < 1 || n > 40) return 0;
  const uint8_t *end = p + n;
  int spaces = 0;
  while (end > p && end[-1] == ' ') end--, spaces++;
  if (end == p) return 0;
  if (*p == '2' && end - p == 1) {
    out->m = 0;
    out->scale = spaces;
    return spaces <= 18;
  }
  int neg = *p == '1';
  if ((!neg && *p != '3') || end - p < 3) return 0;
  if (p[1] < 0x27 || p[1] > 0x77) return 0;
  int exp = neg ? 0x4f - p[1] : p[1] - 0x4f;
  p += 2;
  if (neg && *--end != '~') return 0;
  int digits = (int)(end - p);
  if (digits < 1 || digits > 18) return 0;
  int64_t m = 0;
  for (const uint8_t *q = p; q < end; q++) {
    unsigned d = (unsigned)*q - '0';
    if (d > 9) return 0;
    m = m * 10 + (neg ? 9 - d : d);
  }
  int natural = digits > exp ? digits - exp : 0;
  int scale = natural + spaces, shift = scale - (digits - exp);
  if (scale > 18 || shift < 0 || shift + digits > 18) return 0;
  m *= num_pow10[shift];
  out->m = neg ? -m : m;
  out->scale = scale;
  return 1;
}

int num_small_arg(sqlite3_value *v, num_small *out) {
  switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER:
      out->m = sqlite3_value_int64(v);
      out->scale = 0;
      return out->m > -num_pow10[18] && out->m < num_pow10[18];
    case SQLITE_TEXT: {
      const uint8_t *p = sqlite3_value_blob(v);
      return p && num_small_decode(p, sqlite3_value_bytes(v), out);
    }
  }
  return 0;
}

// num_small_result gives m × 10^−scale with that scale shown; scale ≤ 36.
void num_small_result(sqlite3_context *ctx, __int128 m, int scale) {
  char buf[128], back[48];
  int n = 0, at = 0;
  if (m == 0) {
    buf[at++] = '2';
    memset(buf + at, ' ', (size_t)scale);
    sqlite3_result_text64(ctx, buf, (sqlite3_uint64)(at + scale), SQLITE_TRANSIENT, SQLITE_UTF8);
    return;
  }
  int neg = m < 0;
  unsigned __int128 u = neg ? -(unsigned __int128)m : (unsigned __int128)m;
  while (u >> 64) {
    back[n++] = (char)(u % 10);
    u /= 10;
  }
  for (uint64_t w = (uint64_t)u; w; w /= 10) back[n++] = (char)(w % 10);
  int exp = n - scale, zeros = 0;
  while (back[zeros] == 0) zeros++;
  buf[at++] = neg ? '1' : '3';
  buf[at++] = (char)(neg ? 0x4f - exp : 0x4f + exp);
  for (int i = n - 1; i >= zeros; i--) buf[at++] = (char)('0' + (neg ? 9 - back[i] : back[i]));
  if (neg) buf[at++] = '~';
  int digits = n - zeros, spaces = scale - (digits > exp ? digits - exp : 0);
  memset(buf + at, ' ', (size_t)spaces);
  sqlite3_result_text64(ctx, buf, (sqlite3_uint64)(at + spaces), SQLITE_TRANSIENT, SQLITE_UTF8);
}
