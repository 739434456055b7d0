// Integer arithmetic with PostgreSQL's ranges and errors (src/backend/utils/adt/int.c, int8.c).
#include "lc.h"

static const char *const type_names[9] = {[2] = "smallint", [4] = "integer", [8] = "bigint"};

static void out_of_range(sqlite3_context *ctx, int width) { lc_error(ctx, "22003", "%s out of range", type_names[width]); }

void lc_division_by_zero(sqlite3_context *ctx) { lc_error(ctx, "22012", "division by zero"); }

static inline int fits(int64_t v, int width) {
  return width == 8 || (width == 4 ? v == (int32_t)v : v == (int16_t)v);
}

// finish returns v, or the error when it (or the operation, by overflow) is beyond the width.
static inline void finish(sqlite3_context *ctx, int overflow, int64_t v, int width) {
  if (overflow || !fits(v, width))
    out_of_range(ctx, width);
  else
    sqlite3_result_int64(ctx, v);
}

#define OPERANDS                                                                                          \
  (void)argc;                                                                                             \
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_type(argv[1]) == SQLITE_NULL) return;   \
  int64_t a = sqlite3_value_int64(argv[0]), b = sqlite3_value_int64(argv[1])

#define OPERAND                                             \
  (void)argc;                                               \
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;   \
  int64_t a = sqlite3_value_int64(argv[0])

static int64_t magnitude(int64_t a, int *overflow) {
  *overflow |= a == INT64_MIN;
  return a == INT64_MIN ? a : a < 0 ? -a : a;
}

static uint64_t gcd(uint64_t a, uint64_t b) {
  while (b) {
    uint64_t t = a % b;
    a = b;
    b = t;
  }
  return a;
}

static uint64_t absolute(int64_t a) { return a < 0 ? 0 - (uint64_t)a : (uint64_t)a; }

// Written out for each width: these are the functions that a statement calls most.
#define ARITHMETIC(W)                                                                            \
  static void add##W(sqlite3_context *ctx, int argc, sqlite3_value **argv) {                     \
    OPERANDS;                                                                                    \
    int64_t r = 0;                                                                               \
    int o = __builtin_add_overflow(a, b, &r);                                                    \
    finish(ctx, o, r, W);                                                                        \
  }                                                                                              \
  static void sub##W(sqlite3_context *ctx, int argc, sqlite3_value **argv) {                     \
    OPERANDS;                                                                                    \
    int64_t r = 0;                                                                               \
    int o = __builtin_sub_overflow(a, b, &r);                                                    \
    finish(ctx, o, r, W);                                                                        \
  }                                                                                              \
  static void mul##W(sqlite3_context *ctx, int argc, sqlite3_value **argv) {                     \
    OPERANDS;                                                                                    \
    int64_t r = 0;                                                                               \
    int o = __builtin_mul_overflow(a, b, &r);                                                    \
    finish(ctx, o, r, W);                                                                        \
  }                                                                                              \
  static void div##W(sqlite3_context *ctx, int argc, sqlite3_value **argv) {                     \
    OPERANDS;                                                                                    \
    if (b == 0) {                                                                                \
      lc_division_by_zero(ctx);                                                                  \
      return;                                                                                    \
    }                                                                                            \
    int o = a == INT64_MIN && b == -1;                                                           \
    finish(ctx, o, o ? 0 : a / b, W);                                                            \
  }                                                                                              \
  static void mod##W(sqlite3_context *ctx, int argc, sqlite3_value **argv) {                     \
    OPERANDS;                                                                                    \
    if (b == 0)                                                                                  \
      lc_division_by_zero(ctx);                                                                  \
    else                                                                                         \
      sqlite3_result_int64(ctx, b == -1 ? 0 : a % b);                                            \
  }                                                                                              \
  static void neg##W(sqlite3_context *ctx, int argc, sqlite3_value **argv) {                     \
    OPERAND;                                                                                     \
    int64_t r = 0;                                                                               \
    int o = __builtin_sub_overflow((int64_t)0, a, &r);                                           \
    finish(ctx, o, r, W);                                                                        \
  }                                                                                              \
  static void abs##W(sqlite3_context *ctx, int argc, sqlite3_value **argv) {                     \
    OPERAND;                                                                                     \
    int o = 0;                                                                                   \
    int64_t r = magnitude(a, &o);                                                                \
    finish(ctx, o, r, W);                                                                        \
  }                                                                                              \
  static void to##W(sqlite3_context *ctx, int argc, sqlite3_value **argv) {                      \
    OPERAND;                                                                                     \
    finish(ctx, 0, a, W);                                                                        \
  }

ARITHMETIC(2)
ARITHMETIC(4)
ARITHMETIC(8)

// shift: PostgreSQL leaves the count to the processor: x86 masks it to 5 or 6 bits, and int2 is shifted as an int.
static void shift_left(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  OPERANDS;
  int64_t r;
  switch (lc_arg(ctx)) {
    case 2:
      r = (int16_t)((uint32_t)a << (b & 31));
      break;
    case 4:
      r = (int32_t)((uint32_t)a << (b & 31));
      break;
    default:
      r = (int64_t)((uint64_t)a << (b & 63));
  }
  sqlite3_result_int64(ctx, r);
}

static void shift_right(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  OPERANDS;
  sqlite3_result_int64(ctx, a >> (b & (lc_arg(ctx) == 8 ? 63 : 31)));
}

static void bit_xor(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  OPERANDS;
  sqlite3_result_int64(ctx, a ^ b);
}

static void gcd_of(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  OPERANDS;
  uint64_t g = gcd(absolute(a), absolute(b));
  finish(ctx, g > INT64_MAX, (int64_t)g, (int)lc_arg(ctx));
}

static void lcm_of(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  OPERANDS;
  if (a == 0 || b == 0) {
    sqlite3_result_int64(ctx, 0);
    return;
  }
  uint64_t r = 0, x = absolute(a), y = absolute(b);
  int o = __builtin_mul_overflow(x / gcd(x, y), y, &r);
  finish(ctx, o || r > INT64_MAX, (int64_t)r, (int)lc_arg(ctx));
}

// oid is an unsigned 32-bit number; an int4 turns into it bit by bit.
static void int4_oid(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  OPERAND;
  sqlite3_result_int64(ctx, (int64_t)(uint32_t)a);
}

static void int8_oid(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  OPERAND;
  if (a < 0 || a > UINT32_MAX)
    lc_error(ctx, "22003", "OID out of range");
  else
    sqlite3_result_int64(ctx, a);
}

static void oid_int4(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  OPERAND;
  sqlite3_result_int64(ctx, (int32_t)(uint32_t)a);
}

#define WIDTH(W)                                                                                            \
  {"lc_add" #W, 2, 2, add##W, 0, 0}, {"lc_sub" #W, 2, 2, sub##W, 0, 0}, {"lc_mul" #W, 2, 2, mul##W, 0, 0},  \
      {"lc_div" #W, 2, 2, div##W, 0, 0}, {"lc_mod" #W, 2, 2, mod##W, 0, 0},                                 \
      {"lc_neg" #W, 1, 1, neg##W, 0, 0}, {"lc_abs" #W, 1, 1, abs##W, 0, 0}, {"lc_to" #W, 1, 1, to##W, 0, 0}, \
      {"lc_shl" #W, 2, 2, shift_left, W, 0}, {"lc_shr" #W, 2, 2, shift_right, W, 0}

const lc_def lc_integer_functions[] = {
    WIDTH(2),
    WIDTH(4),
    WIDTH(8),
    {"lc_bxor", 2, 2, bit_xor, 0, 0},
    {"lc_gcd4", 2, 2, gcd_of, 4, 0},
    {"lc_gcd8", 2, 2, gcd_of, 8, 0},
    {"lc_lcm4", 2, 2, lcm_of, 4, 0},
    {"lc_lcm8", 2, 2, lcm_of, 8, 0},
    {"lc_i2oid", 1, 1, int4_oid, 0, 0},
    {"lc_i82oid", 1, 1, int8_oid, 0, 0},
    {"lc_oid2i", 1, 1, oid_int4, 0, 0},
    LC_END,
};
