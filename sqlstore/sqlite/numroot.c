// Roots, exponentials and logarithms of exact numbers: computed with some digits more than asked for, then rounded.
#include <math.h>

#include "num.h"

static int16_t nine_tenths_digit[] = {9000}, eleven_tenths_digits[] = {1, 1000};
static const num nine_tenths = {NUM_POS, 1, -1, 1, nine_tenths_digit}, eleven_tenths = {NUM_POS, 2, 0, 1, eleven_tenths_digits};

static int max_int(int a, int b) { return a > b ? a : b; }

num num_sqrt(calc *k, const num *a, int rscale) {
  num r = {NUM_POS, 0, 0, rscale, NULL};
  if (a->nd == 0) return r;
  // a = m × 10000^(2h) with 1 ≤ m < 10^8: the root is about sqrt(m) × 10000^h.
  int h = a->weight >= 0 ? a->weight / 2 : -((1 - a->weight) / 2);
  int odd = a->weight - 2 * h;
  double m = a->d[0] + (a->nd > 1 ? a->d[1] / 1e4 : 0) + (a->nd > 2 ? a->d[2] / 1e8 : 0) + (a->nd > 3 ? a->d[3] / 1e12 : 0);
  if (odd) m *= NUM_BASE;
  m = sqrt(m);
  num x = num_of_int128(k, (__int128)(m * 1e14), 14);
  x.weight += h;
  int scale = rscale + 8;
  if (scale < -h * NUM_DIGITS + 8) scale = -h * NUM_DIGITS + 8;
  x.dscale = max_int(scale, 0);
  // Newton: each step doubles the number of right digits, 14 to begin with; no step works with many more than it can
  // make right.
  int wanted = scale + (h + 1) * NUM_DIGITS + 2;
  for (int have = 13;; have *= 2) {
    int s = have * 2 < wanted ? scale - (wanted - have * 2) + 8 : scale;
    if (s > scale) s = scale;
    num q = num_div(k, a, &x, s, 1);
    q = num_add(k, &q, &x);
    x = num_div_int(k, &q, 2, s);
    if (have >= wanted) break;
  }
  return num_round(k, &x, rscale);
}

num num_exp(calc *k, const num *a, int rscale) {
  double val = num_to_double(a);
  if (fabs(val) >= NUM_MAX_RESULT_SCALE * 3) {
    if (val > 0) num_overflow(k);
    num zero = {NUM_POS, 0, 0, rscale, NULL};
    return zero;
  }
  int dweight = (int)(val * 0.434294481903252);
  // exp(x) = exp(x / 2^halvings)^(2^halvings), and the series is short for a small x.
  int halvings = 0;
  for (; fabs(val) > 0.01; val /= 2) halvings++;
  int sig = 1 + dweight + rscale + (int)(halvings * 0.301029995663981);
  sig = max_int(sig, 0) + 12;
  num x = *a;
  if (halvings) x = num_div_int(k, a, 1 << halvings, max_int(a->dscale + halvings, sig + 4));
  int scale = sig - 1 + 4;
  num sum = num_add(k, &num_one, &x), term = x;
  for (int i = 2;; i++) {
    term = num_mul_round(k, &term, &x, scale + 4);
    term = num_div_int(k, &term, i, scale + 4);
    if (term.nd == 0) break;
    sum = num_add(k, &sum, &term);
  }
  while (halvings-- > 0) {
    int s = sig - sum.weight * 2 * NUM_DIGITS;
    sum = num_mul_round(k, &sum, &sum, max_int(s, 0));
  }
  return num_round(k, &sum, rscale);
}

// ln_near computes ln for 0 < x of small weight: roots bring it near 1, then 2 artanh((x−1)/(x+1)).
static num ln_near(calc *k, const num *a, int rscale) {
  num x = *a;
  int roots = 0;
  while (num_cmp(&x, &nine_tenths) <= 0 || num_cmp(&x, &eleven_tenths) >= 0) {
    x = num_sqrt(k, &x, rscale + 12);
    roots++;
  }
  int scale = rscale + (int)((roots + 1) * 0.301029995663981) + 10;
  num up = num_sub(k, &x, &num_one), down = num_add(k, &x, &num_one);
  num sum = num_div(k, &up, &down, scale, 1), power = sum, square = num_mul_round(k, &sum, &sum, scale);
  for (int i = 3;; i += 2) {
    power = num_mul_round(k, &power, &square, scale);
    num term = num_div_int(k, &power, i, scale);
    if (term.nd == 0) break;
    sum = num_add(k, &sum, &term);
  }
  num f = num_of_int(k, (int64_t)2 << roots);
  return num_mul_round(k, &sum, &f, rscale);
}

num num_ln(calc *k, const num *a, int rscale) {
  if (num_cmp(a, &nine_tenths) >= 0 && num_cmp(a, &eleven_tenths) <= 0) {
    num r = ln_near(k, a, rscale + 4);
    return num_round(k, &r, rscale);
  }
  // ln(m × 10^4w) = ln(m) + 4w ln(10), with 1 ≤ m < 10000 cut to what can matter.
  int guard = rscale + 12;
  num m = *a;
  int w = m.weight;
  m.weight = 0;
  if (m.nd > (guard + 8) / NUM_DIGITS + 4) m.nd = (guard + 8) / NUM_DIGITS + 4;
  m.dscale = max_int(0, (m.nd - 1) * NUM_DIGITS);
  m = num_strip(m);
  num r = ln_near(k, &m, guard);
  if (w) {
    num ten = num_of_int(k, 10), f = num_of_int(k, (int64_t)w * NUM_DIGITS);
    num l = ln_near(k, &ten, guard);
    l = num_mul(k, &l, &f);
    r = num_add(k, &r, &l);
  }
  return num_round(k, &r, rscale);
}

int num_ln_weight(calc *k, const num *a) {
  if (a->sign != NUM_POS || a->nd == 0) return 0;
  if (num_cmp(a, &nine_tenths) >= 0 && num_cmp(a, &eleven_tenths) <= 0) {
    num x = num_sub(k, a, &num_one);
    return x.nd ? x.weight * NUM_DIGITS + (int)log10(x.d[0]) : 0;
  }
  int head = a->d[0], weight = a->weight * NUM_DIGITS;
  if (a->nd > 1) {
    head = head * NUM_BASE + a->d[1];
    weight -= NUM_DIGITS;
  }
  return (int)log10(fabs(log(head) + weight * 2.302585092994046));
}
