/* What the two halves of the NVML stand-in share; names and numbers are those of NVML's public interface. */
#ifndef NVML_STAND_IN_H
#define NVML_STAND_IN_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Declared here and not by _GNU_SOURCE, which would bind the library to the newest C library's own versions of strtoull and sscanf. */
struct object_info {
    const char *file;
    void *base;
    const char *symbol;
    void *address;
};
int dladdr(const void *address, struct object_info *info);

#define STATE_SIZE 65536
#define MOST_CARDS 64
#define MOST_LINKS 18

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NO_PERMISSION = 4,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    LIB_RM_VERSION_MISMATCH = 18,
    ARGUMENT_VERSION_MISMATCH = 25,
    UNKNOWN = 999,
};

typedef unsigned long nvmlDevice_t;

int look_up(const char *key, char *text, size_t size);
int check(nvmlDevice_t device);
int text_of(nvmlDevice_t device, const char *key, char *text, unsigned int size);
int number_of(nvmlDevice_t device, const char *key, unsigned long long *number);
int small_of(nvmlDevice_t device, const char *key, unsigned int *number);

#endif
