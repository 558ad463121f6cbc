/* Makes the n-th call of some kind fail, be cut short, or be the last one of its process.
 *
 * Loaded before the C library (LD_PRELOAD), it stands between a program and the system. Calls count from the
 * moment it is armed, and only those on files below a folder, so that imports and fonts do not count;
 * memory, threads and clocks count wherever they are asked for. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OPEN = 1, READ = 2, WRITE = 4, SYNC = 8, NAME = 16, CLOSE = 32, CHANGE = 64, MAP = 128, MEMORY = 256, THREAD = 512 };
/* What happens at the n-th call, if not an error of the system's. */
enum { KILL_BEFORE = -1, KILL_AFTER = -2, HALF = -3, NOTHING = 0 };
enum { FDS = 4096 };
/* So often a request for memory may be refused in a row. */
enum { ENDLESS = 1000 };

static char folder[PATH_MAX];
static int kinds, action, stays, jumps;
static size_t smallest;
static atomic_long left, counted;
static atomic_int armed, met;
static int told_in = -1;
static atomic_uchar below[FDS];

__attribute__((visibility("default"))) void fault_arm(const char *path, int which, long nth, int what, int lasts,
                                                      size_t n_bytes) {
    strncpy(folder, path, sizeof folder - 1);
    kinds = which, action = what, stays = lasts, smallest = n_bytes;
    // The first time it loads a library of its own.
    void *frame[1];
    backtrace(frame, 1);
    atomic_store(&left, nth);
    atomic_store(&counted, 0);
    atomic_store(&met, 0);
    atomic_store(&armed, 1);
}

__attribute__((visibility("default"))) void fault_jump(int on) { jumps = on; }
__attribute__((visibility("default"))) void fault_disarm(void) {
    jumps = 0;
    atomic_store(&armed, 0);
}
__attribute__((visibility("default"))) long fault_counted(void) { return counted; }
__attribute__((visibility("default"))) int fault_met(void) { return met; }
/* Where to write which call it was, at once, for the process may not live to say it. */
__attribute__((visibility("default"))) void fault_tell(int fd) { told_in = fd; }

static void tell(const char *name) {
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
    if (told_in >= 0 && real(told_in, name, strlen(name) + 1, 0) < 0) return;
}

/* Whether this is the call; HALF and the errors are the caller's to bring about. */
static int due(int kind, const char *name) {
    if (!armed || !(kinds & kind)) return NOTHING;
    counted++;
    long now = --left;
    if (now > 0 || (now < 0 && !stays)) return NOTHING;
    met = 1;
    // Of memory, who was refused last: they may end the process.
    if (now == 0 || kind == MEMORY) tell(name);
    if (action == KILL_BEFORE) kill(getpid(), SIGKILL);
    return action;
}

static void done(int what) {
    if (what == KILL_AFTER) kill(getpid(), SIGKILL);
}

static int inside(const char *path) { return path && strncmp(path, folder, strlen(folder)) == 0; }
static int tracked(int fd) { return armed && fd >= 0 && fd < FDS && below[fd]; }

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define FAILS(what) ((what) > 0)

/* Reading and writing: n_bytes may be cut in half. */
#define TRANSFER(kind, name, parameters, fd, n_bytes, ...) \
    ssize_t name parameters { \
        REAL(name); \
        int what = tracked(fd) ? due(kind, #name) : NOTHING; \
        if (FAILS(what)) return errno = what, -1; \
        if (what == HALF && n_bytes > 1) n_bytes /= 2; \
        ssize_t found = real(__VA_ARGS__); \
        done(what); \
        return found; \
    }

TRANSFER(READ, read, (int fd, void *to, size_t n), fd, n, fd, to, n)
TRANSFER(READ, pread, (int fd, void *to, size_t n, off_t at), fd, n, fd, to, n, at)
TRANSFER(READ, pread64, (int fd, void *to, size_t n, off64_t at), fd, n, fd, to, n, at)
TRANSFER(WRITE, write, (int fd, const void *from, size_t n), fd, n, fd, from, n)
TRANSFER(WRITE, pwrite, (int fd, const void *from, size_t n, off_t at), fd, n, fd, from, n, at)
TRANSFER(WRITE, pwrite64, (int fd, const void *from, size_t n, off64_t at), fd, n, fd, from, n, at)
TRANSFER(READ, preadv, (int fd, const struct iovec *to, int n, off_t at), fd, n, fd, to, n, at)
TRANSFER(READ, preadv64, (int fd, const struct iovec *to, int n, off64_t at), fd, n, fd, to, n, at)

/* All else on an open file, or on a path: it is done, or not at all. */
#define DEED(kind, name, parameters, concerned, ...) \
    int name parameters { \
        REAL(name); \
        int what = armed && (concerned) ? due(kind, #name) : NOTHING; \
        if (FAILS(what)) return errno = what, -1; \
        int found = real(__VA_ARGS__); \
        done(what); \
        return found; \
    }

DEED(SYNC, fsync, (int fd), tracked(fd), fd)
DEED(SYNC, fdatasync, (int fd), tracked(fd), fd)
DEED(CHANGE, ftruncate, (int fd, off_t n), tracked(fd), fd, n)
DEED(CHANGE, ftruncate64, (int fd, off64_t n), tracked(fd), fd, n)
DEED(CHANGE, flock, (int fd, int how), tracked(fd), fd, how)
DEED(CHANGE, fchmod, (int fd, mode_t mode), tracked(fd), fd, mode)
DEED(CHANGE, chmod, (const char *path, mode_t mode), inside(path), path, mode)
DEED(CHANGE, fchmodat, (int at, const char *path, mode_t mode, int flags), inside(path), at, path, mode, flags)
DEED(CHANGE, unlink, (const char *path), inside(path), path)
DEED(NAME, rename, (const char *from, const char *to), inside(to), from, to)
DEED(NAME, renameat, (int a, const char *from, int b, const char *to), inside(to), a, from, b, to)
DEED(NAME, link, (const char *from, const char *to), inside(to), from, to)
DEED(NAME, linkat, (int a, const char *from, int b, const char *to, int flags), inside(to), a, from, b, to, flags)

/* A file is closed also where that is said to have failed. */
int close(int fd) {
    REAL(close);
    int what = tracked(fd) ? due(CLOSE, "close") : NOTHING;
    if (fd >= 0 && fd < FDS) below[fd] = 0;
    int found = real(fd);
    done(what);
    return FAILS(what) ? (errno = what, -1) : found;
}

static int noted(int fd, int concerned, int what) {
    if (fd >= 0 && fd < FDS) below[fd] = (unsigned char)concerned;
    done(what);
    return fd;
}

#define MODE \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }
#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        MODE int concerned = armed && inside(path), what = concerned ? due(OPEN, #name) : NOTHING; \
        if (FAILS(what)) return errno = what, -1; \
        return noted(real(path, flags, mode), concerned, what); \
    }
#define OPENS_AT(name) \
    int name(int at, const char *path, int flags, ...) { \
        REAL(name); \
        MODE int concerned = armed && inside(path), what = concerned ? due(OPEN, #name) : NOTHING; \
        if (FAILS(what)) return errno = what, -1; \
        return noted(real(at, path, flags, mode), concerned, what); \
    }
OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)

/* The C library asks for memory while names are looked up: its own functions, which need no looking up. */
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);
/* Who asks for memory, beyond this file, the C library and the C++ library's own functions. */
static const char *asker(void) {
    static const char *const between[] = {"shim.so", "libc.so", "libstdc++"};
    void *frames[16];
    int n = backtrace(frames, 16);
    const char *asks = "";
    for (Dl_info found; n > 0; --n, memmove(frames, frames + 1, sizeof frames - sizeof *frames)) {
        if (!dladdr(frames[0], &found) || !found.dli_fname) break;
        const char *slash = strrchr(found.dli_fname, '/');
        asks = slash ? slash + 1 : found.dli_fname;
        int passed_on = 0;
        for (size_t i = 0; i < sizeof between / sizeof *between; ++i) passed_on |= strstr(asks, between[i]) != NULL;
        if (!passed_on) break;
    }
    return asks;
}

static __thread int asking;
/* The loader ends the process where it gets none, which is no fault of the program's. */
static int refuses(size_t n_bytes) {
    if (n_bytes < smallest || asking) return 0;
    asking = 1;
    const char *asks = asker();
    int refused = !strstr(asks, "ld-linux") && FAILS(due(MEMORY, asks));
    asking = 0;
    return refused;
}
#define watched (armed && (kinds & MEMORY))
#define refused(n_bytes) (watched && refuses(n_bytes))

/* What the system has said to who asks for memory; one that asks again and again will never do anything else. */
static void *answered(void *found) {
    static atomic_int in_a_row;
    if (!watched || asking) return found;
    if (found) return in_a_row = 0, found;
    asking = 1;
    met = 1;
    tell(asker());
    if (++in_a_row > ENDLESS) kill(getpid(), SIGXCPU);
    asking = 0;
    errno = ENOMEM;
    return found;
}

void *malloc(size_t n) { return refused(n) ? (errno = ENOMEM, NULL) : answered(__libc_malloc(n)); }
void *calloc(size_t n, size_t size) {
    int refusal = size && n < SIZE_MAX / size && refused(n * size);
    return refusal ? (errno = ENOMEM, NULL) : answered(__libc_calloc(n, size));
}
void *realloc(void *old, size_t n) {
    if (refused(n)) return errno = ENOMEM, NULL;
    void *found = __libc_realloc(old, n);
    return n ? answered(found) : found;
}
void *aligned_alloc(size_t to, size_t n) {
    return refused(n) ? (errno = ENOMEM, NULL) : answered(__libc_memalign(to, n));
}
int posix_memalign(void **found, size_t to, size_t n) {
    void *memory = refused(n) ? NULL : answered(__libc_memalign(to, n));
    if (!memory) return ENOMEM;
    *found = memory;
    return 0;
}

#define MAPS(name, offset) \
    void *name(void *at, size_t n, int rights, int flags, int fd, offset from) { \
        REAL(name); \
        int what = n >= smallest ? due(MAP, #name) : NOTHING; \
        if (FAILS(what)) return errno = what, MAP_FAILED; \
        void *found = real(at, n, rights, flags, fd, from); \
        done(what); \
        if (found == MAP_FAILED && errno == ENOMEM) answered(NULL); \
        return found; \
    }
MAPS(mmap, off_t)
MAPS(mmap64, off64_t)

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *with) {
    REAL(pthread_create);
    return FAILS(due(THREAD, "pthread_create")) ? EAGAIN : real(thread, attributes, run, with);
}

/* The date leaps by 30 years to and fro; the time since the start by as much, but never back. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    static atomic_ulong state = 1;
    static atomic_long ahead;
    int found = real(clock, now);
    if (!jumps || found != 0) return found;
    unsigned long drawn = (state = state * 6364136223846793005UL + 1442695040888963407UL) >> 33;
    if (clock == CLOCK_REALTIME) now->tv_sec += (long)(drawn % 3 - 1) * 1000000000L * (drawn % 3 != 0 || now->tv_sec > 1000000000L);
    if (clock == CLOCK_MONOTONIC) now->tv_sec += drawn % 7 ? ahead : (ahead += 1000000L);
    counted++;
    return found;
}
