/*
 * A stand-in for libnvidia-cfg.so.1: as much as the real nvidia-persistenced asks of it.
 *
 * To open a card is to hold a shared lock on the card's file below /run/gpu-simulator/persistence. The NVML stand-in reports
 * persistence mode for as long as somebody holds that lock, so a daemon that dies lets go of it, as with a real card.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define FOLDER "/run/gpu-simulator/persistence"
#define MOST 64

struct card {
    int domain, bus, slot, function;
};

static int by_address(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(struct card));
}

/* Gives the cards that the simulated driver has, in an array that the caller frees; 0 when the driver is not loaded. */
int nvCfgGetPciDevices(int *count, struct card **cards)
{
    DIR *folder = access("/proc/driver/nvidia/version", R_OK) == 0 ? opendir(FOLDER) : NULL;
    struct card *found = calloc(MOST, sizeof *found);
    struct dirent *entry;

    *count = 0;
    *cards = found;
    if (folder == NULL || found == NULL)
        return 0;
    while ((entry = readdir(folder)) != NULL && *count < MOST) {
        struct card *card = &found[*count];
        unsigned int domain, bus, slot, function;
        char rest;
        if (sscanf(entry->d_name, "%x:%x:%x.%x%c", &domain, &bus, &slot, &function, &rest) != 4)
            continue;
        card->domain = (int)domain;
        card->bus = (int)bus;
        card->slot = (int)slot;
        card->function = (int)function;
        ++*count;
    }
    closedir(folder);
    qsort(found, (size_t)*count, sizeof *found, by_address);
    return 1;
}

int nvCfgOpenPciDevice(int domain, int bus, int slot, int function, void **handle)
{
    char path[128];
    snprintf(path, sizeof path, FOLDER "/%04x:%02x:%02x.%x", domain, bus, slot, function);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (flock(fd, LOCK_SH) != 0) {
        close(fd);
        return 0;
    }
    /* A handle of NULL means "closed" to the daemon, so descriptors are counted from one. */
    *handle = (void *)((long)fd + 1);
    return 1;
}

int nvCfgCloseDevice(void *handle)
{
    return close((int)((long)handle - 1)) == 0;
}

int nvCfgAttachPciDevice(int domain, int bus, int slot, int function, void **handle)
{
    return nvCfgOpenPciDevice(domain, bus, slot, function, handle);
}

int nvCfgDetachDevice(void *handle)
{
    return nvCfgCloseDevice(handle);
}

unsigned int nvCfgEnableUVMPersistence(void *handle)
{
    return handle == NULL;
}

unsigned int nvCfgDisableUVMPersistence(void *handle)
{
    return handle == NULL;
}
