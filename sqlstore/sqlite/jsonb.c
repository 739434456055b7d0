// The order of jsonb (compareJsonbContainers in src/backend/utils/adt/jsonb_util.c), over its text: the collation LCJSON. The
// text is what jsonb_out shows, so that numbers have no exponent and no zeros in front, and strings only the escapes
// that it needs.
#define _GNU_SOURCE  // memmem
#include <stdlib.h>
#include <string.h>

#include "lc.h"

typedef struct cursor {
  const uint8_t *p, *end;
} cursor;

static int peek(const cursor *c) { return c->p < c->end ? *c->p : -1; }

static void blanks(cursor *c) {
  while (c->p < c->end && *c->p == ' ') c->p++;
}

// kind ranks what a value is: null, string, number, boolean, array, object.
static int kind(const cursor *c) {
  switch (peek(c)) {
    case 'n': return 0;
    case '"': return 1;
    case 'f': case 't': return 3;
    case '[': return 4;
    case '{': return 5;
    default: return 2;
  }
}

static int hex(int c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; }

// string_byte takes the next byte of a string, -1 at its end. The opening quote has been taken.
static int string_byte(cursor *c) {
  if (c->p >= c->end) return -1;
  int b = *c->p++;
  if (b == '"') return -1;
  if (b != '\\' || c->p >= c->end) return b;
  switch (b = *c->p++) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'u':  // of control characters alone
      if (c->end - c->p < 4) return b;
      c->p += 4;
      return (hex(c->p[-2]) & 15) << 4 | (hex(c->p[-1]) & 15);
    default: return b;
  }
}

static int compare_strings(cursor *a, cursor *b) {
  a->p++, b->p++;
  for (;;) {
    int x = string_byte(a), y = string_byte(b);
    if (x != y) return x < y ? -1 : 1;
    if (x < 0) return 0;
  }
}

// A number's digits before and behind the point, without zeros at the end.
typedef struct number {
  int sign;
  const uint8_t *whole, *part;
  int64_t nwhole, npart;
} number;

static number take_number(cursor *c) {
  number n = {.sign = 1};
  if (peek(c) == '-') n.sign = -1, c->p++;
  n.whole = c->p;
  while (c->p < c->end && *c->p >= '0' && *c->p <= '9') c->p++;
  n.nwhole = c->p - n.whole;
  if (peek(c) == '.') c->p++;
  n.part = c->p;
  while (c->p < c->end && *c->p >= '0' && *c->p <= '9') c->p++;
  n.npart = c->p - n.part;
  while (n.npart && n.part[n.npart - 1] == '0') n.npart--;
  if (!n.npart && (!n.nwhole || (n.nwhole == 1 && *n.whole == '0'))) n.sign = 0;
  return n;
}

static int compare_numbers(cursor *a, cursor *b) {
  number x = take_number(a), y = take_number(b);
  if (x.sign != y.sign) return x.sign < y.sign ? -1 : 1;
  if (x.nwhole != y.nwhole) return x.nwhole < y.nwhole ? -x.sign : x.sign;
  int c = x.nwhole ? memcmp(x.whole, y.whole, (size_t)x.nwhole) : 0;
  int64_t n = x.npart < y.npart ? x.npart : y.npart;
  if (!c && n) c = memcmp(x.part, y.part, (size_t)n);
  if (!c) c = x.npart < y.npart ? -1 : x.npart > y.npart;
  return c < 0 ? -x.sign : c > 0 ? x.sign : 0;
}

static void skip_string(cursor *c) {
  for (c->p++; c->p < c->end && *c->p != '"'; c->p++)
    if (*c->p == '\\' && c->end - c->p > 1) c->p++;
  if (c->p < c->end) c->p++;
}

// leave goes behind the end of the innermost container and says how many elements were still to come.
static int64_t leave(cursor *c) {
  int64_t n = 0, depth = 0;
  while (c->p < c->end) {
    switch (*c->p) {
      case '"': skip_string(c); continue;
      case '[': case '{': depth++; break;
      case ']': case '}':
        if (depth-- == 0) {
          c->p++;
          return n;
        }
        break;
      case ',':
        if (depth == 0) n++;
    }
    c->p++;
  }
  return n;
}

static int empty(cursor c) {
  if (c.p < c.end) c.p++;
  blanks(&c);
  return peek(&c) == ']' || peek(&c) == '}';
}

// differ goes through both texts as long as they are equal. It says how the first difference decides, and in depth how
// many containers are open there; a and b then stand within the innermost, not within a string.
static int differ(cursor *a, cursor *b, int64_t *depth) {
  *depth = 0;
  for (;;) {
    const cursor from = *a, there = *b;
    int x = kind(a), y = kind(b), c = 0;
    if (x != y) return x < y ? -1 : 1;
    switch (x) {
      case 1:
        if ((c = compare_strings(a, b))) *a = from, *b = there;
        break;
      case 2:
        c = compare_numbers(a, b);
        break;
      case 4: case 5: {
        int none = empty(*a);
        if (none != empty(*b)) return none ? -1 : 1;
        a->p++, b->p++;
        blanks(a), blanks(b);
        if (!none) {
          ++*depth;
          continue;
        }
        a->p++, b->p++;
        break;
      }
      default:
        c = peek(a) - peek(b);  // 'f' < 't'
        while (peek(a) >= 'a' && peek(a) <= 'z') a->p++;
        while (peek(b) >= 'a' && peek(b) <= 'z') b->p++;
    }
    if (c) return c < 0 ? -1 : 1;
    for (;; --*depth) {
      if (*depth == 0 || peek(a) < 0 || peek(b) < 0) return 0;
      int more = peek(a) == ',' || peek(a) == ':', other = peek(b) == ',' || peek(b) == ':';
      if (more != other) return more ? 1 : -1;
      a->p++, b->p++;
      blanks(a), blanks(b);
      if (more) break;
    }
  }
}

// compare goes by the first difference, but a container of fewer elements comes first, whatever they are: of those that
// hold the difference the outermost whose numbers of elements differ decides.
static int compare(cursor a, cursor b) {
  int64_t n = a.end - a.p;
  if (n == b.end - b.p && (!n || memcmp(a.p, b.p, (size_t)n) == 0)) return 0;
  // A scalar at the top comes before arrays and objects, but for the empty array.
  int x = kind(&a), y = kind(&b);
  if (x < 4 && y >= 4) return y == 4 && empty(b) ? 1 : -1;
  if (y < 4 && x >= 4) return x == 4 && empty(a) ? -1 : 1;
  int64_t depth;
  int c = differ(&a, &b, &depth);
  while (c && depth-- > 0) {
    int64_t more = leave(&a), there = leave(&b);
    if (more != there) c = more < there ? -1 : 1;
  }
  return c;
}

int lc_jsonb_collation(void *arg, int na, const void *a, int nb, const void *b) {
  (void)arg;
  return compare((cursor){a, (const uint8_t *)a + na}, (cursor){b, (const uint8_t *)b + nb});
}

// past_string returns what follows the string that begins at p, its quotes included.
static const uint8_t *past_string(const uint8_t *p, const uint8_t *end) {
  for (p++; p < end && *p != '"'; p++)
    if (*p == '\\') p++;
  return p < end ? p + 1 : end;
}

// past_scalar returns what follows the string, number or word that begins at p. *stop is where what all its equals have
// in common ends: a number may have more zeros after its point, or fewer.
static const uint8_t *past_scalar(const uint8_t *p, const uint8_t *end, const uint8_t **stop) {
  if (*p == '"') return *stop = past_string(p, end);
  const uint8_t *q = p, *point = NULL;
  for (; q < end && *q != ',' && *q != ']' && *q != '}'; q++)
    if (*q == '.') point = q;
  *stop = q;
  if (point) {
    while ((*stop)[-1] == '0') --*stop;
    if (*stop == point + 1) *stop = point;
  }
  return q;
}

// lc_jsonb_lacks says whether a jsonb cannot contain another one, since its text lacks what the other one's scalars and keys
// look like: for most rows of a table that is all that there is to find out.
int lc_jsonb_lacks(sqlite3_value **argv) {
  const uint8_t *doc = sqlite3_value_blob(argv[0]), *p = sqlite3_value_blob(argv[1]);
  size_t n = (size_t)sqlite3_value_bytes(argv[0]);
  if (!doc || !p) return 0;
  const uint8_t *end = p + sqlite3_value_bytes(argv[1]);
  while (p < end) {
    if (*p == '{' || *p == '}' || *p == '[' || *p == ']' || *p == ',' || *p == ' ') {
      p++;
      continue;
    }
    const uint8_t *begin = p, *stop;
    p = past_scalar(p, end, &stop);
    if (*begin == '"' && end - p > 2 && p[0] == ':' && p[1] == ' ') {  // a key: with its value, if that is a scalar
      p += 2;
      if (p < end && *p != '{' && *p != '[') p = past_scalar(p, end, &stop);
    }
    if (!memmem(doc, n, begin, (size_t)(stop - begin))) return 1;
  }
  return 0;
}

// lc_jsonb_keyless says whether a jsonb has no such key, since its text has no such string.
int lc_jsonb_keyless(sqlite3_value **argv) {
  const uint8_t *doc = sqlite3_value_blob(argv[0]), *key = sqlite3_value_blob(argv[1]);
  size_t n = (size_t)sqlite3_value_bytes(argv[0]), k = (size_t)sqlite3_value_bytes(argv[1]);
  uint8_t quoted[256];
  if (!doc || !key || k > sizeof quoted - 2) return 0;
  quoted[0] = '"';
  for (size_t i = 0; i < k; i++) {
    if (key[i] < ' ' || key[i] == '"' || key[i] == '\\') return 0;  // it stands there in another form
    quoted[i + 1] = key[i];
  }
  quoted[k + 1] = '"';
  return !memmem(doc, n, quoted, k + 2);
}
