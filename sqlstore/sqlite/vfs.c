// The file system as SQLite sees it: its own that keeps other processes out ("unix-excl"), but that the write-ahead log is
// synced by fdatasync. SQLite calls fsync unless it was compiled with HAVE_FDATASYNC. The log is written over from its
// beginning after each checkpoint, so that its size hardly ever changes; fsync then waits for the file system's journal
// only to store the time of the last change, fdatasync does not (fdatasync(2): metadata is flushed if it is needed to read
// the data back, as a new size is).
#include "lc.h"

#define OWN_VFS "unix-excl"

#ifdef __linux__
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

// https://www.sqlite.org/c3ref/io_methods.html, version 1: all that is asked of a log.
struct sqlite3_io_methods {
  int iVersion;
  int (*xClose)(sqlite3_file *);
  int (*xRead)(sqlite3_file *, void *, int, sqlite3_int64);
  int (*xWrite)(sqlite3_file *, const void *, int, sqlite3_int64);
  int (*xTruncate)(sqlite3_file *, sqlite3_int64);
  int (*xSync)(sqlite3_file *, int);
  int (*xFileSize)(sqlite3_file *, sqlite3_int64 *);
  int (*xLock)(sqlite3_file *, int);
  int (*xUnlock)(sqlite3_file *, int);
  int (*xCheckReservedLock)(sqlite3_file *, int *);
  int (*xFileControl)(sqlite3_file *, int, void *);
  int (*xSectorSize)(sqlite3_file *);
  int (*xDeviceCharacteristics)(sqlite3_file *);
};

// A log: SQLite's own file follows, and does all but xSync. fd is of the same file. It is never a database's: closing a
// file takes away the locks that the process has on it.
typedef struct {
  sqlite3_file base;
  int fd;
  int synced; // once by SQLite itself, which also syncs the folder of a new file
} wal_file;

static sqlite3_file *own(sqlite3_file *f) { return (sqlite3_file *)((wal_file *)f + 1); }

#define OWN(f) own(f)->pMethods

static int wal_close(sqlite3_file *f) {
  close(((wal_file *)f)->fd);
  return OWN(f)->xClose(own(f));
}
static int wal_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) { return OWN(f)->xRead(own(f), p, n, at); }
static int wal_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) { return OWN(f)->xWrite(own(f), p, n, at); }
static int wal_truncate(sqlite3_file *f, sqlite3_int64 n) { return OWN(f)->xTruncate(own(f), n); }
static int wal_size(sqlite3_file *f, sqlite3_int64 *n) { return OWN(f)->xFileSize(own(f), n); }
static int wal_lock(sqlite3_file *f, int k) { return OWN(f)->xLock(own(f), k); }
static int wal_unlock(sqlite3_file *f, int k) { return OWN(f)->xUnlock(own(f), k); }
static int wal_reserved(sqlite3_file *f, int *k) { return OWN(f)->xCheckReservedLock(own(f), k); }
static int wal_control(sqlite3_file *f, int op, void *p) { return OWN(f)->xFileControl(own(f), op, p); }
static int wal_sector(sqlite3_file *f) { return OWN(f)->xSectorSize(own(f)); }
static int wal_device(sqlite3_file *f) { return OWN(f)->xDeviceCharacteristics(own(f)); }

static int wal_sync(sqlite3_file *f, int flags) {
  wal_file *w = (wal_file *)f;
  if (!w->synced) {
    int rc = OWN(f)->xSync(own(f), flags);
    w->synced = rc == SQLITE_OK;
    return rc;
  }
  int rc;
  do
    rc = fdatasync(w->fd);
  while (rc != 0 && errno == EINTR);
  return rc == 0 ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

static const sqlite3_io_methods wal_methods = {1,          wal_close, wal_read,   wal_write,    wal_truncate, wal_sync,  wal_size,
                                               wal_lock,   wal_unlock, wal_reserved, wal_control, wal_sector, wal_device};

static sqlite3_vfs *under; // SQLite's own

static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out) {
  (void)v;
  if (!(flags & SQLITE_OPEN_WAL)) return under->xOpen(under, name, f, flags, out);
  wal_file *w = (wal_file *)f;
  memset(w, 0, sizeof *w);
  int rc = under->xOpen(under, name, own(f), flags, out);
  if (rc == SQLITE_OK && (w->fd = open(name, O_RDONLY | O_CLOEXEC)) < 0) rc = SQLITE_CANTOPEN;
  if (rc == SQLITE_OK)
    w->base.pMethods = &wal_methods;
  else if (own(f)->pMethods)
    OWN(f)->xClose(own(f));
  return rc;
}

static sqlite3_vfs vfs;
static int registered = SQLITE_ERROR;

static void vfs_register(void) {
  under = sqlite3_vfs_find(OWN_VFS);
  if (!under) return;
  vfs = *under; // its other methods do not look at what they are called on
  vfs.szOsFile = under->szOsFile + (int)sizeof(wal_file);
  vfs.pNext = NULL;
  vfs.zName = "layercake";
  vfs.xOpen = vfs_open;
  registered = sqlite3_vfs_register(&vfs, 0);
}

// lc_vfs is the name of the file system to open a database with that only this process uses.
const char *lc_vfs(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, vfs_register);
  return registered == SQLITE_OK ? vfs.zName : "not registered";
}
#else
const char *lc_vfs(void) { return OWN_VFS; }
#endif
