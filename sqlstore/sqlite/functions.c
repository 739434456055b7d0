// Registration of the C functions on a connection.
#include "lc.h"

int lc_register_all(lc_conn *c) {
  (void)c;
  return SQLITE_OK;
}
