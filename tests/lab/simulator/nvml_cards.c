/* The NVML stand-in's calls about one card. */
#include "nvml_stand_in.h"

struct pci_info {
    char bus_id_legacy[16];
    unsigned int domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
};

struct memory {
    unsigned long long total, free, used;
};

struct memory_v2 {
    unsigned int version;
    unsigned long long total, reserved, free, used;
};

struct process {
    unsigned int pid;
    unsigned long long memory;
    unsigned int gpu_instance, compute_instance;
};

struct temperature {
    unsigned int version, sensor;
    int temperature;
};

#define TEXT(function, key) \
    int function(nvmlDevice_t device, char *text, unsigned int size) \
    { \
        return text_of(device, key, text, size); \
    }
#define NUMBER(function, key) \
    int function(nvmlDevice_t device, unsigned int *number) \
    { \
        return small_of(device, key, number); \
    }
#define TWO_NUMBERS(function, first_key, second_key) \
    int function(nvmlDevice_t device, unsigned int *first, unsigned int *second) \
    { \
        int result = small_of(device, first_key, first); \
        return result == SUCCESS ? small_of(device, second_key, second) : result; \
    }

TEXT(nvmlDeviceGetUUID, "uuid")
TEXT(nvmlDeviceGetName, "name")
TEXT(nvmlDeviceGetSerial, "serial")
TEXT(nvmlDeviceGetVbiosVersion, "vbios")
TEXT(nvmlDeviceGetBoardPartNumber, "board_part_number")
NUMBER(nvmlDeviceGetIndex, "index")
NUMBER(nvmlDeviceGetMinorNumber, "minor")
NUMBER(nvmlDeviceGetBrand, "brand")
NUMBER(nvmlDeviceGetArchitecture, "architecture")
NUMBER(nvmlDeviceGetVirtualizationMode, "virtualization_mode")
NUMBER(nvmlDeviceGetPowerManagementLimit, "power_limit")
NUMBER(nvmlDeviceGetPowerManagementDefaultLimit, "power_default_limit")
NUMBER(nvmlDeviceGetEnforcedPowerLimit, "power_limit")
NUMBER(nvmlDeviceGetPowerUsage, "power_usage")
TWO_NUMBERS(nvmlDeviceGetPowerManagementLimitConstraints, "power_min_limit", "power_max_limit")
TWO_NUMBERS(nvmlDeviceGetEccMode, "ecc_current", "ecc_pending")
TWO_NUMBERS(nvmlDeviceGetMigMode, "mig_current", "mig_pending")
TWO_NUMBERS(nvmlDeviceGetCudaComputeCapability, "compute_major", "compute_minor")

static int fill_pci(nvmlDevice_t device, struct pci_info *info)
{
    int result = small_of(device, "domain", &info->domain);
    if (result != SUCCESS)
        return result;
    small_of(device, "bus", &info->bus);
    small_of(device, "device", &info->device);
    small_of(device, "pci_device_id", &info->pci_device_id);
    small_of(device, "pci_subsystem_id", &info->pci_subsystem_id);
    snprintf(info->bus_id_legacy, sizeof info->bus_id_legacy, "%04X:%02X:%02X.0", info->domain & 0xffff, info->bus & 0xff, info->device & 0x1f);
    snprintf(info->bus_id, sizeof info->bus_id, "%08X:%02X:%02X.0", info->domain, info->bus & 0xff, info->device & 0x1f);
    return SUCCESS;
}

int nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, struct pci_info *info)
{
    memset(info, 0, sizeof *info);
    return fill_pci(device, info);
}

/* Finds a card by a value; in bus addresses case and the number of leading zeros do not matter. */
static int find(const char *key, const char *wanted, nvmlDevice_t *device)
{
    char text[96];
    size_t ends = strlen(wanted);
    for (nvmlDevice_t handle = 1; text_of(handle, key, text, sizeof text) == SUCCESS; handle++) {
        size_t length = strlen(text);
        int same = strcmp(text, wanted) == 0 || (strchr(wanted, ':') && ends >= length && strcasecmp(text, wanted + ends - length) == 0);
        if (same) {
            *device = handle;
            return SUCCESS;
        }
    }
    return NOT_FOUND;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
    return find("uuid", uuid, device);
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *address, nvmlDevice_t *device)
{
    return find("address", address, device);
}

/* The first version counts what the driver keeps for itself as used, the second one does not. */
int nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, struct memory_v2 *memory)
{
    int result = number_of(device, "memory_total", &memory->total);
    if (result != SUCCESS)
        return result;
    if (memory->version != (sizeof *memory | 2u << 24))
        return ARGUMENT_VERSION_MISMATCH;
    number_of(device, "memory_reserved", &memory->reserved);
    number_of(device, "memory_used", &memory->used);
    memory->free = memory->total - memory->reserved - memory->used;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(nvmlDevice_t device, struct memory *memory)
{
    struct memory_v2 whole = {.version = sizeof whole | 2u << 24};
    int result = nvmlDeviceGetMemoryInfo_v2(device, &whole);
    memory->total = whole.total;
    memory->free = whole.free;
    memory->used = whole.total - whole.free;
    return result;
}

int nvmlDeviceGetTemperature(nvmlDevice_t device, unsigned int sensor, unsigned int *temperature)
{
    return sensor == 0 ? small_of(device, "temperature", temperature) : INVALID_ARGUMENT;
}

int nvmlDeviceGetTemperatureV(nvmlDevice_t device, struct temperature *asked)
{
    unsigned int value = 0;
    int result = nvmlDeviceGetTemperature(device, asked->sensor, &value);
    asked->temperature = (int)value;
    return result;
}

static void persistence_path(nvmlDevice_t device, const char *suffix, char *path, size_t size)
{
    char address[32] = "";
    text_of(device, "address", address, sizeof address);
    snprintf(path, size, "/run/gpu-simulator/persistence/%s%s", address, suffix);
}

/* Persistence is on while a daemon holds the card open, which is to hold a lock, or while the old switch is on. */
int nvmlDeviceGetPersistenceMode(nvmlDevice_t device, unsigned int *mode)
{
    char path[128];
    int result = check(device), fd;
    if (result != SUCCESS)
        return result;
    persistence_path(device, ".legacy", path, sizeof path);
    *mode = access(path, F_OK) == 0;
    persistence_path(device, "", path, sizeof path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0)
        *mode = 1;
    if (fd >= 0)
        close(fd);
    return SUCCESS;
}

int nvmlDeviceSetPersistenceMode(nvmlDevice_t device, unsigned int mode)
{
    char path[128];
    int result = check(device), fd;
    if (result != SUCCESS)
        return result;
    if (geteuid() != 0)
        return NO_PERMISSION;
    persistence_path(device, ".legacy", path, sizeof path);
    if (!mode)
        return unlink(path) == 0 || errno == ENOENT ? SUCCESS : UNKNOWN;
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return UNKNOWN;
    close(fd);
    return SUCCESS;
}

static int processes(nvmlDevice_t device, const char *kind, unsigned int *count, struct process *found)
{
    char key[32], text[96], type[16];
    unsigned int room = *count, seen = 0;
    int result = check(device);
    if (result != SUCCESS)
        return result;
    for (int number = 0;; number++) {
        struct process process = {.gpu_instance = 0xffffffffu, .compute_instance = 0xffffffffu};
        snprintf(key, sizeof key, "process.%d", number);
        if (text_of(device, key, text, sizeof text) != SUCCESS)
            break;
        if (sscanf(text, "%15s %u %llu", type, &process.pid, &process.memory) != 3 || strcmp(type, kind) != 0)
            continue;
        if (found != NULL && seen < room)
            found[seen] = process;
        seen++;
    }
    *count = seen;
    return seen > room || (found == NULL && seen > 0) ? INSUFFICIENT_SIZE : SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count, struct process *found)
{
    return processes(device, "compute", count, found);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned int *count, struct process *found)
{
    return processes(device, "graphics", count, found);
}

int nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link, unsigned int *active)
{
    char key[32];
    int result = check(device);
    if (result != SUCCESS || link >= MOST_LINKS)
        return result != SUCCESS ? result : INVALID_ARGUMENT;
    snprintf(key, sizeof key, "nvlink.%u.state", link);
    return small_of(device, key, active);
}

int nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t device, unsigned int link, struct pci_info *info)
{
    char key[32], peer[32];
    int result = check(device);
    if (result != SUCCESS || link >= MOST_LINKS)
        return result != SUCCESS ? result : INVALID_ARGUMENT;
    snprintf(key, sizeof key, "nvlink.%u.peer", link);
    result = text_of(device, key, peer, sizeof peer);
    memset(info, 0, sizeof *info);
    if (result == SUCCESS && sscanf(peer, "%x:%x:%x", &info->domain, &info->bus, &info->device) == 3) {
        nvmlDevice_t other;
        if (nvmlDeviceGetHandleByPciBusId_v2(peer, &other) == SUCCESS)
            return fill_pci(other, info);
        snprintf(info->bus_id_legacy, sizeof info->bus_id_legacy, "%.15s", peer);
        snprintf(info->bus_id, sizeof info->bus_id, "%08X:%02X:%02X.0", info->domain, info->bus & 0xff, info->device & 0x1f);
    }
    return result;
}
