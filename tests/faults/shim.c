/* Preloaded into the program: the n-th call of a kind on the journal's files fails with EIO; whether calls of that kind follow
   on the same file is written down. FAULT_CALL is "sync", "write" or "read", FAULT_AT is n, FAULT_LOG takes what happened. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static long calls;
static int failed;

static void say(const char *what) {
    int fd = open(getenv("FAULT_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd >= 0) {
        ssize_t (*next)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
        if (next(fd, what, strlen(what)) < 0) abort();
        close(fd);
    }
}

/* Whether this call fails. */
static int meet(int fd, const char *kind) {
    char link[64], path[4096];
    const char *wanted = getenv("FAULT_CALL"), *at = getenv("FAULT_AT");
    if (!wanted || !at || strcmp(wanted, kind)) return 0;
    int kept = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = kept;
    if (length < 0) return 0;
    path[length] = 0;
    if (!strstr(path, "/journal.sqlite")) return 0;
    if (failed) say("again\n");
    if (++calls != atol(at)) return 0;
    failed = 1;
    say(strstr(path, "-wal") ? "failed log\n" : "failed file\n");
    errno = EIO;
    return 1;
}

#define NEXT(name, type) ((type)dlsym(RTLD_NEXT, name))

int fdatasync(int fd) { return meet(fd, "sync") ? -1 : NEXT("fdatasync", int (*)(int))(fd); }
int fsync(int fd) { return meet(fd, "sync") ? -1 : NEXT("fsync", int (*)(int))(fd); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    return meet(fd, "write") ? -1 : NEXT("pwrite64", ssize_t(*)(int, const void *, size_t, off64_t))(fd, data, size, offset);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    return meet(fd, "write") ? -1 : NEXT("pwrite", ssize_t(*)(int, const void *, size_t, off_t))(fd, data, size, offset);
}
ssize_t write(int fd, const void *data, size_t size) {
    return meet(fd, "write") ? -1 : NEXT("write", ssize_t(*)(int, const void *, size_t))(fd, data, size);
}
ssize_t pread64(int fd, void *data, size_t size, off64_t offset) {
    return meet(fd, "read") ? -1 : NEXT("pread64", ssize_t(*)(int, void *, size_t, off64_t))(fd, data, size, offset);
}
ssize_t pread(int fd, void *data, size_t size, off_t offset) {
    return meet(fd, "read") ? -1 : NEXT("pread", ssize_t(*)(int, void *, size_t, off_t))(fd, data, size, offset);
}
ssize_t read(int fd, void *data, size_t size) {
    return meet(fd, "read") ? -1 : NEXT("read", ssize_t(*)(int, void *, size_t))(fd, data, size);
}
