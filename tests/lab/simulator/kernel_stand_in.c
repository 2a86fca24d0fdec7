/*
 * A stand-in for what the simulated machine's kernel would answer, preloaded into every program of a lab host.
 *
 * uname() names the kernel that the simulated machine has booted; loading and unloading of modules goes to the simulator, which
 * decides as the driver would; /proc/modules can be read even where the real kernel has none; and a card's device node answers the
 * one question of nvidia-persistenced: whether the card's memory is a NUMA node (it is not). Everything else is the real kernel's.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef RTLD_NEXT
#define RTLD_NEXT ((void *)-1L)
#endif
#define SIMULATOR_HOME "/usr/lib/gpu-simulator"
#define NUMA_INFO 215 /* the driver's ioctl 200 + 15, of type 'F' */

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static int path_of(int fd, char *path, size_t size)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0)
        return -1;
    path[length] = '\0';
    return 0;
}

int uname(struct utsname *name)
{
    int (*real)(struct utsname *) = next("uname");
    int result = real(name);
    int fd = result == 0 ? open("/run/gpu-simulator/tree/osrelease", O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        char release[sizeof name->release];
        ssize_t length = read(fd, release, sizeof release - 1);
        close(fd);
        if (length > 1) {
            release[length] = '\0';
            release[strcspn(release, "\n")] = '\0';
            strcpy(name->release, release);
        }
    }
    return result;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (((request >> 8) & 0xff) == 'F' && (request & 0xff) == NUMA_INFO) {
        char path[256];
        if (path_of(fd, path, sizeof path) == 0 && strncmp(path, "/dev/nvidia", 11) == 0) {
            memset(argument, 0, (request >> 16) & 0x3fff);
            return 0;
        }
    }
    int (*real)(int, unsigned long, ...) = next("ioctl");
    return real(fd, request, argument);
}

/* Asks the simulator and gives its exit status, an errno. */
static int ask(const char *verb, const char *what)
{
    pid_t child = fork();
    if (child == 0) {
        if (chdir(SIMULATOR_HOME) == 0)
            execl("/usr/bin/python3", "python3", "-B", "-m", "simulator", verb, what, (char *)NULL);
        _exit(EPERM);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
        return EPERM;
    return WEXITSTATUS(status);
}

static int as_result(int error)
{
    errno = error;
    return error == 0 ? 0 : -1;
}

int delete_module(const char *name, unsigned int flags)
{
    (void)flags;
    return as_result(ask("unload", name));
}

/* kmod loads modules with syscall(SYS_finit_module, fd, parameters, flags), or with init_module() when they are compressed. */
int init_module(const void *image, unsigned long length, const char *parameters)
{
    char path[64];
    (void)parameters;
    snprintf(path, sizeof path, "/run/gpu-simulator/inserted-%d.ko", (int)getpid());
    FILE *file = fopen(path, "w");
    int written = file != NULL && fwrite(image, 1, length, file) == length;
    if (file != NULL)
        written = fclose(file) == 0 && written;
    int error = written ? ask("load", path) : EPERM;
    unlink(path);
    return as_result(error);
}

long syscall(long number, ...)
{
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_finit_module) {
        char path[4096];
        if (path_of((int)arguments[0], path, sizeof path) == 0)
            return as_result(ask("load", path));
    }
    long (*real)(long, ...) = next("syscall");
    return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

/* A kernel without module support has no /proc/modules over which the simulator could bind its own. */
static const char *led(const char *path)
{
    static const char ours[] = "/run/gpu-simulator/tree/modules";
    if (path != NULL && strcmp(path, "/proc/modules") == 0 && syscall(SYS_access, path, F_OK) != 0 && syscall(SYS_access, ours, F_OK) == 0)
        return ours;
    return path;
}

#define MODE_OF(flags) \
    va_list list; \
    va_start(list, flags); \
    mode_t mode = (flags) & (O_CREAT | 020000000) ? va_arg(list, mode_t) : 0; \
    va_end(list)
#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        MODE_OF(flags); \
        int (*real)(const char *, int, ...) = next(#name); \
        return real(led(path), flags, mode); \
    }
#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) \
    { \
        MODE_OF(flags); \
        int (*real)(int, const char *, int, ...) = next(#name); \
        return real(folder, led(path), flags, mode); \
    }
#define FOPEN(name) \
    FILE *name(const char *path, const char *mode) \
    { \
        FILE *(*real)(const char *, const char *) = next(#name); \
        return real(led(path), mode); \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
FOPEN(fopen)
FOPEN(fopen64)
