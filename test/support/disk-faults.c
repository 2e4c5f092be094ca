/*
 * A disk that fails on command: a library to preload into a process whose writing and syncing is to go wrong.
 *
 * Two variables of the environment tell it what to do:
 *
 *   DISK_FAULTS_CONTROL  a directory; a fault is in force while a file of its name exists there:
 *     fail-sync    fsync and fdatasync fail with EIO. As on Linux, what was written stays visible to every process, and a later sync
 *                  succeeds: only a power failure would show that it never reached the disk. If the control file has content, only
 *                  files whose path ends with it are affected.
 *     stall-sync   fsync and fdatasync do not return until the file is gone.
 *     full         every write fails with ENOSPC.
 *   DISK_FAULTS_FILE     only files whose path contains this text are affected.
 *
 * Each sync that begins under a fault also leaves an empty file "seen" in the control directory, so that a test knows that the fault
 * was met. Without the variables the library does nothing. Built by: gcc -shared -fPIC -O1 -o disk-faults.so disk-faults.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  path[length < 0 ? 0 : length] = '\0';
  return length >= 0;
}

static int is_affected(int fd) {
  const char *part = getenv("DISK_FAULTS_FILE");
  char path[PATH_MAX];
  return part != NULL && getenv("DISK_FAULTS_CONTROL") != NULL && path_of(fd, path) && strstr(path, part) != NULL;
}

static void control_path(char *path, const char *name) {
  snprintf(path, PATH_MAX, "%s/%s", getenv("DISK_FAULTS_CONTROL"), name);
}

static int is_in_force(const char *fault) {
  char path[PATH_MAX];
  control_path(path, fault);
  return access(path, F_OK) == 0;
}

/* Whether the path of a file ends with the content of the control file. */
static int is_meant(const char *fault, int fd) {
  char control[PATH_MAX];
  char end[PATH_MAX];
  char path[PATH_MAX];
  control_path(control, fault);
  int content = open(control, O_RDONLY);
  if (content < 0) return 0;
  ssize_t length = read(content, end, sizeof end - 1);
  close(content);
  if (length < 0 || !path_of(fd, path)) return 0;
  size_t whole = strlen(path);
  return whole >= (size_t)length && memcmp(path + whole - length, end, length) == 0;
}

static void leave_sign(void) {
  char path[PATH_MAX];
  control_path(path, "seen");
  int fd = open(path, O_WRONLY | O_CREAT, 0600);
  if (fd >= 0) close(fd);
}

static int sync_with_faults(const char *symbol, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, symbol);
  if (!is_affected(fd)) return real(fd);
  const struct timespec pause = {0, 1000000};
  if (is_in_force("stall-sync")) leave_sign();
  while (is_in_force("stall-sync")) nanosleep(&pause, NULL);
  if (is_meant("fail-sync", fd)) {
    leave_sign();
    errno = EIO;
    return -1;
  }
  return real(fd);
}

static int has_no_room(int fd) {
  if (getenv("DISK_FAULTS_CONTROL") == NULL || !is_in_force("full") || !is_affected(fd)) return 0;
  leave_sign();
  errno = ENOSPC;
  return 1;
}

int fsync(int fd) { return sync_with_faults("fsync", fd); }

int fdatasync(int fd) { return sync_with_faults("fdatasync", fd); }

ssize_t write(int fd, const void *bytes, size_t count) {
  static ssize_t (*real)(int, const void *, size_t);
  if (real == NULL) real = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  return has_no_room(fd) ? -1 : real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
  static ssize_t (*real)(int, const void *, size_t, off_t);
  if (real == NULL) real = (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
  return has_no_room(fd) ? -1 : real(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  static ssize_t (*real)(int, const void *, size_t, off64_t);
  if (real == NULL) real = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  return has_no_room(fd) ? -1 : real(fd, bytes, count, offset);
}
