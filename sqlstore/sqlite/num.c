// The arithmetic of exact numbers.
#include "num.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct chunk {
  struct chunk *next;
};

void num_begin(calc *k, sqlite3 *db) {
  k->db = db;
  k->sqlstate = NULL;
  k->message = NULL;
  k->chunks = NULL;
  k->at = k->first;
  k->end = k->first + sizeof k->first;
}

void num_end(calc *k) {
  for (struct chunk *c = k->chunks, *next; c; c = next) {
    next = c->next;
    free(c);
  }
  k->chunks = NULL;
}

num_place num_mark(calc *k) { return (num_place){k->chunks, k->at, k->end}; }

void num_release(calc *k, num_place m) {
  while (k->chunks != m.chunks) {
    struct chunk *next = k->chunks->next;
    free(k->chunks);
    k->chunks = next;
  }
  k->at = m.at;
  k->end = m.end;
}

void num_check_interrupt(calc *k) {
  if (sqlite3_is_interrupted(k->db)) num_fail(k, "57014", "canceling statement due to user request");
}

void num_report(sqlite3_context *ctx, calc *k) {
  if (k->message)
    lc_error(ctx, k->sqlstate, "%s", k->message);
  else
    sqlite3_result_error_nomem(ctx);
}

void num_fail(calc *k, const char *sqlstate, const char *message) {
  k->sqlstate = sqlstate;
  k->message = message;
  _longjmp(k->jump, 1);
}

void num_overflow(calc *k) { num_fail(k, "22003", "value overflows numeric format"); }

void *num_alloc(calc *k, size_t n) {
  n = (n + 15) & ~(size_t)15;
  if ((size_t)(k->end - k->at) < n) {
    num_check_interrupt(k);
    size_t size = n + 16 > 16384 ? n + 16 : 16384;
    struct chunk *c = malloc(size);
    if (!c) num_fail(k, NULL, NULL);
    c->next = k->chunks;
    k->chunks = c;
    k->at = (uint8_t *)c + 16;
    k->end = (uint8_t *)c + size;
  }
  void *p = k->at;
  k->at += n;
  return p;
}

const num num_nan = {NUM_NAN, 0, 0, 0, NULL}, num_pinf = {NUM_PINF, 0, 0, 0, NULL}, num_ninf = {NUM_NINF, 0, 0, 0, NULL},
          num_zero = {NUM_POS, 0, 0, 0, NULL};
static int16_t one_digit[] = {1};
const num num_one = {NUM_POS, 1, 0, 0, one_digit};

const int64_t num_pow10[19] = {1,
                               10,
                               100,
                               1000,
                               10000,
                               100000,
                               1000000,
                               10000000,
                               100000000,
                               1000000000,
                               10000000000,
                               100000000000,
                               1000000000000,
                               10000000000000,
                               100000000000000,
                               1000000000000000,
                               10000000000000000,
                               100000000000000000,
                               1000000000000000000};

// digits returns room for n digits with one more before them, for a carry.
static int16_t *digits(calc *k, int64_t n) {
  int16_t *d = num_alloc(k, (size_t)(n + 1) * sizeof *d);
  d[0] = 0;
  return d + 1;
}

num num_strip(num a) {
  while (a.nd > 0 && a.d[0] == 0) a.d++, a.nd--, a.weight--;
  while (a.nd > 0 && a.d[a.nd - 1] == 0) a.nd--;
  if (a.nd == 0) a.weight = 0, a.sign = NUM_POS;
  return a;
}

int num_signum(const num *a) {
  if (a->sign == NUM_NINF) return -1;
  if (a->sign >= NUM_NAN) return 1;
  return a->nd == 0 ? 0 : a->sign == NUM_NEG ? -1 : 1;
}

num num_neg(num a) {
  switch (a.sign) {
    case NUM_POS:
      if (a.nd) a.sign = NUM_NEG;
      return a;
    case NUM_NEG:
      a.sign = NUM_POS;
      return a;
    case NUM_PINF:
      return num_ninf;
    case NUM_NINF:
      return num_pinf;
    default:
      return a;
  }
}

static int cmp_abs(const num *a, const num *b) {
  if (a->nd == 0 || b->nd == 0) return (a->nd != 0) - (b->nd != 0);
  if (a->weight != b->weight) return a->weight < b->weight ? -1 : 1;
  int n = a->nd < b->nd ? a->nd : b->nd;
  for (int i = 0; i < n; i++)
    if (a->d[i] != b->d[i]) return a->d[i] < b->d[i] ? -1 : 1;
  return (a->nd > n) - (b->nd > n);  // digits are stripped, so the longer one is greater
}

static int rank(const num *a) { return a->sign == NUM_NINF ? -1 : a->sign == NUM_NAN ? 2 : a->sign == NUM_PINF ? 1 : 0; }

int num_cmp(const num *a, const num *b) {
  int x = rank(a), y = rank(b);
  if (x || y) return (x > y) - (x < y);
  if (a->sign != b->sign) return a->sign == NUM_NEG ? -1 : 1;
  return a->sign == NUM_NEG ? cmp_abs(b, a) : cmp_abs(a, b);
}

static int max_int(int a, int b) { return a > b ? a : b; }
static int min_int(int a, int b) { return a < b ? a : b; }

// combine gives |a| + |b|, or |a| − |b| where |a| ≥ |b|.
static num combine(calc *k, const num *a, const num *b, int minus) {
  num r = {NUM_POS, 0, 0, max_int(a->dscale, b->dscale), NULL};
  int top = max_int(a->nd ? a->weight : -(1 << 20), b->nd ? b->weight : -(1 << 20)) + 1;
  int low = min_int(a->nd ? a->weight - a->nd + 1 : 1 << 20, b->nd ? b->weight - b->nd + 1 : 1 << 20);
  if (low > top) return r;
  r.nd = top - low + 1;
  r.weight = top;
  r.d = digits(k, r.nd);
  int carry = 0;
  for (int w = low; w <= top; w++) {
    int i = a->weight - w, j = b->weight - w;
    int x = i >= 0 && i < a->nd ? a->d[i] : 0, y = j >= 0 && j < b->nd ? b->d[j] : 0;
    int s = minus ? x - y + carry : x + y + carry;
    carry = 0;
    if (s >= NUM_BASE) s -= NUM_BASE, carry = 1;
    if (s < 0) s += NUM_BASE, carry = -1;
    r.d[top - w] = (int16_t)s;
  }
  return num_strip(r);
}

num num_add(calc *k, const num *a, const num *b) {
  num r;
  if (a->sign == b->sign) {
    r = combine(k, a, b, 0);
    if (r.nd) r.sign = a->sign;
    return r;
  }
  int c = cmp_abs(a, b);
  r = c >= 0 ? combine(k, a, b, 1) : combine(k, b, a, 1);
  if (r.nd) r.sign = c >= 0 ? a->sign : b->sign;
  return r;
}

num num_sub(calc *k, const num *a, const num *b) {
  num m = num_neg(*b);
  return num_add(k, a, &m);
}

num num_mul(calc *k, const num *a, const num *b) {
  num r = {NUM_POS, 0, 0, a->dscale + b->dscale, NULL};
  if (a->nd == 0 || b->nd == 0) return r;
  int n = a->nd + b->nd;
  r.d = digits(k, n);
  r.nd = n;
  r.weight = a->weight + b->weight + 1;
  uint8_t *at = k->at;
  uint64_t *acc = num_alloc(k, (size_t)n * sizeof *acc);
  memset(acc, 0, (size_t)n * sizeof *acc);
  for (int i = 0; i < a->nd; i++) {
    uint64_t x = (uint64_t)a->d[i];
    if (x == 0) continue;
    uint64_t *to = acc + i + 1;
    for (int j = 0; j < b->nd; j++) to[j] += x * (uint64_t)b->d[j];
  }
  uint64_t carry = 0;
  for (int i = n - 1; i >= 0; i--) {
    carry += acc[i];
    r.d[i] = (int16_t)(carry % NUM_BASE);
    carry /= NUM_BASE;
  }
  if ((uint8_t *)acc == at) k->at = at;  // the accumulator is not needed any more
  r = num_strip(r);
  if (r.nd) r.sign = a->sign == b->sign ? NUM_POS : NUM_NEG;
  return r;
}

// cut_to_scale leaves rscale digits behind the point, rounding half away from zero or not at all.
static num cut_to_scale(calc *k, const num *a, int rscale, int round) {
  num r = *a;
  r.dscale = rscale;
  if (a->nd == 0) return r;
  int64_t di = ((int64_t)a->weight + 1) * NUM_DIGITS + rscale;  // decimal digits kept
  if (di < 0 || (di == 0 && !round)) {
    r.nd = r.weight = 0;
    r.sign = NUM_POS;
    return r;
  }
  int64_t n = (di + NUM_DIGITS - 1) / NUM_DIGITS;
  int part = (int)(di % NUM_DIGITS);
  if (n > a->nd || (n == a->nd && part == 0)) return r;  // there is nothing to cut
  r.d = digits(k, n);
  memcpy(r.d, a->d, (size_t)n * sizeof *r.d);
  r.nd = (int)n;
  int carry = 0;
  if (part == 0) {
    carry = round && a->d[n] >= NUM_BASE / 2;
  } else {
    static const int powers[NUM_DIGITS] = {0, 1000, 100, 10};
    int p = powers[part], last = r.d[n - 1], extra = last % p;
    last -= extra;
    if (round && extra >= p / 2) last += p;
    if (last >= NUM_BASE) last -= NUM_BASE, carry = 1;
    r.d[n - 1] = (int16_t)last;
    if (carry) n--;
  }
  for (; carry; n--) {
    if (n == 0) {
      r.d--;
      r.d[0] = 1;
      r.nd++;
      r.weight++;
      break;
    }
    if (++r.d[n - 1] < NUM_BASE) break;
    r.d[n - 1] = 0;
  }
  return num_strip(r);
}

num num_round(calc *k, const num *a, int rscale) { return cut_to_scale(k, a, rscale, 1); }
num num_trunc(calc *k, const num *a, int rscale) { return cut_to_scale(k, a, rscale, 0); }

num num_mul_round(calc *k, const num *a, const num *b, int rscale) {
  num r = num_mul(k, a, b);
  return num_round(k, &r, rscale);
}

num num_div_int(calc *k, const num *a, int b, int rscale) {
  num r = {NUM_POS, 0, 0, rscale, NULL};
  if (a->nd == 0) return r;
  int64_t n = (int64_t)a->weight + 1 + (rscale + NUM_DIGITS - 1) / NUM_DIGITS + 1;
  if (n < 1) n = 1;
  r.d = digits(k, n);
  r.nd = (int)n;
  r.weight = a->weight;
  int64_t rest = 0;
  for (int64_t i = 0; i < n; i++) {
    rest = rest * NUM_BASE + (i < a->nd ? a->d[i] : 0);
    r.d[i] = (int16_t)(rest / b);
    rest %= b;
  }
  r.sign = a->sign;
  r = num_strip(r);
  return num_round(k, &r, rscale);
}

// num_div divides as one does on paper (Knuth, algorithm D). The quotient is exact up to its last digit, then rounded
// or cut.
num num_div(calc *k, const num *a, const num *b, int rscale, int round) {
  num r = {NUM_POS, 0, 0, rscale, NULL};
  if (a->nd == 0) return r;
  int64_t n = (int64_t)a->weight - b->weight + 1 + (rscale + NUM_DIGITS - 1) / NUM_DIGITS + (round ? 1 : 0);
  if (n < 1) n = 1;
  int m = b->nd;
  r.d = digits(k, n);
  r.nd = (int)n;
  r.weight = a->weight - b->weight;
  int32_t *u = num_alloc(k, (size_t)(n + m + 1) * sizeof *u), *v = num_alloc(k, (size_t)m * sizeof *v);
  // Scale both so that the divisor's first digit is at least half the base.
  int f = NUM_BASE / (b->d[0] + 1), carry = 0;
  for (int i = m - 1; i >= 0; i--) {
    int x = b->d[i] * f + carry;
    v[i] = x % NUM_BASE;
    carry = x / NUM_BASE;
  }
  carry = 0;
  for (int64_t i = n + m - 1; i >= 0; i--) {
    int x = (i < a->nd ? a->d[i] : 0) * f + carry;
    u[i + 1] = x % NUM_BASE;
    carry = x / NUM_BASE;
  }
  u[0] = carry;
  for (int64_t j = 0; j < n; j++) {
    int64_t head = (int64_t)u[j] * NUM_BASE + u[j + 1];
    int64_t q = head / v[0], rest = head % v[0];
    while (q >= NUM_BASE || (m > 1 && q * v[1] > rest * NUM_BASE + u[j + 2])) {
      q--;
      rest += v[0];
      if (rest >= NUM_BASE) break;
    }
    if (q > 0) {
      int64_t borrow = 0;
      for (int i = m - 1; i >= 0; i--) {
        int64_t x = u[j + 1 + i] - q * v[i] + borrow;
        borrow = x / NUM_BASE;
        x %= NUM_BASE;
        if (x < 0) x += NUM_BASE, borrow--;
        u[j + 1 + i] = (int32_t)x;
      }
      int64_t x = u[j] + borrow;
      if (x < 0) {  // q was one too great
        q--;
        int c = 0;
        for (int i = m - 1; i >= 0; i--) {
          int y = u[j + 1 + i] + v[i] + c;
          c = y >= NUM_BASE;
          u[j + 1 + i] = c ? y - NUM_BASE : y;
        }
        x += c;
      }
      u[j] = (int32_t)x;
    }
    r.d[j] = (int16_t)q;
  }
  r.sign = a->sign == b->sign ? NUM_POS : NUM_NEG;
  r = num_strip(r);
  return cut_to_scale(k, &r, rscale, round);
}

num num_mod(calc *k, const num *a, const num *b) {
  num q = num_div(k, a, b, 0, 0);
  q = num_mul(k, &q, b);
  num r = num_sub(k, a, &q);
  r.dscale = max_int(a->dscale, b->dscale);
  return r;
}

int num_div_scale(const num *a, const num *b) {
  int weight = (a->nd ? a->weight : 0) - (b->nd ? b->weight : 0);
  if ((a->nd ? a->d[0] : 0) <= (b->nd ? b->d[0] : 0)) weight--;
  int s = NUM_MIN_SIG_DIGITS - weight * NUM_DIGITS;
  s = max_int(s, max_int(a->dscale, b->dscale));
  return min_int(max_int(s, 0), NUM_MAX_DISPLAY_SCALE);
}

int num_integral(const num *a) {
  if (num_special(a)) return a->sign != NUM_NAN;
  return a->nd <= a->weight + 1;
}

// Conversions.

num num_of_int128(calc *k, __int128 m, int scale) {
  num r = {m < 0 ? NUM_NEG : NUM_POS, 0, 0, scale, NULL};
  if (m == 0) return r;
  unsigned __int128 u = m < 0 ? -(unsigned __int128)m : (unsigned __int128)m;
  int groups = (scale + NUM_DIGITS - 1) / NUM_DIGITS;  // base-10000 digits behind the point
  int fill = groups * NUM_DIGITS - scale;              // decimal zeros that the last of them lacks
  static const int powers[] = {1, 10, 100, 1000};
  int16_t back[16];
  int n = 0, p = powers[(NUM_DIGITS - fill) & 3];
  if (fill) {
    back[n++] = (int16_t)((int)(u % (unsigned)p) * powers[fill]);
    u /= (unsigned)p;
  }
  while (u) {
    back[n++] = (int16_t)(u % NUM_BASE);
    u /= NUM_BASE;
  }
  r.d = digits(k, n);
  r.nd = n;
  r.weight = n - groups - 1;
  for (int i = 0; i < n; i++) r.d[i] = back[n - 1 - i];
  return num_strip(r);
}

num num_of_int(calc *k, int64_t i) { return num_of_int128(k, i, 0); }

double num_to_double(const num *a) {
  if (a->sign == NUM_NAN) return NAN;
  if (num_is_inf(a)) return a->sign == NUM_PINF ? INFINITY : -INFINITY;
  double r = 0;
  int n = min_int(a->nd, 6);
  for (int i = 0; i < n; i++) r = r * NUM_BASE + a->d[i];
  r *= pow(NUM_BASE, a->weight - n + 1);
  return a->sign == NUM_NEG ? -r : r;
}

int num_to_int(calc *k, const num *a, int64_t *out) {
  num r = num_round(k, a, 0);
  __int128 v = 0;
  if (r.nd && r.weight > 5) return 0;
  for (int i = 0; i <= r.weight && r.nd; i++) v = v * NUM_BASE + (i < r.nd ? r.d[i] : 0);
  if (r.sign == NUM_NEG) v = -v;
  *out = (int64_t)v;
  return v == *out;
}

num num_of_double(calc *k, double d, int sig) {
  if (d != d) return num_nan;
  if (isinf(d)) return d > 0 ? num_pinf : num_ninf;
  char s[64];
  // %.15g and %.6g are what float8_numeric and float4_numeric print.
  int n = snprintf(s, sizeof s, "%.*g", sig, d);
  return num_of_text(k, s, n);
}

// The operators.

num num_op_add(calc *k, const num *a, const num *b) {
  if (num_special(a) || num_special(b)) {
    if (a->sign == NUM_NAN || b->sign == NUM_NAN) return num_nan;
    if (num_is_inf(a)) return num_is_inf(b) && a->sign != b->sign ? num_nan : *a;
    return *b;
  }
  return num_add(k, a, b);
}

num num_op_sub(calc *k, const num *a, const num *b) {
  num m = num_neg(*b);
  return num_op_add(k, a, &m);
}

num num_op_mul(calc *k, const num *a, const num *b) {
  if (num_special(a) || num_special(b)) {
    if (a->sign == NUM_NAN || b->sign == NUM_NAN) return num_nan;
    int s = num_signum(a) * num_signum(b);
    return s == 0 ? num_nan : s > 0 ? num_pinf : num_ninf;
  }
  num r = num_mul(k, a, b);
  return r.dscale > NUM_DSCALE_MAX ? num_round(k, &r, NUM_DSCALE_MAX) : r;
}

num num_op_div(calc *k, const num *a, const num *b) {
  if (a->sign == NUM_NAN || b->sign == NUM_NAN) return num_nan;
  if (num_is_inf(a)) {
    if (num_is_inf(b)) return num_nan;
    int s = num_signum(b) * num_signum(a);
    if (s == 0) num_fail(k, "22012", "division by zero");
    return s > 0 ? num_pinf : num_ninf;
  }
  if (num_is_inf(b)) return num_zero;
  if (b->nd == 0) num_fail(k, "22012", "division by zero");
  return num_div(k, a, b, num_div_scale(a, b), 1);
}
