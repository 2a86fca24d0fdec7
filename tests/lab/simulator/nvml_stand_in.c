/*
 * A stand-in for libnvidia-ml.so.1: the calls that the collection makes, answered from the simulator's state file.
 *
 * A value that the file lacks is "Not Supported", as it is for many values of many real cards. The library learns its own version
 * from the name of the file that it was loaded from, and the kernel module's from /proc/driver/nvidia/version.
 */
#include "nvml_stand_in.h"

static char state[STATE_SIZE];
static int initialised;

/* Reads the state file anew; everything that it says may have changed since the last call. */
static void refresh(void)
{
    FILE *file = fopen("/run/gpu-simulator/nvml.state", "r");
    size_t length = file ? fread(state, 1, sizeof state - 1, file) : 0;
    state[length] = '\0';
    if (file)
        fclose(file);
}

/* Copies the value of a key to text; gives 0 when there is none. */
int look_up(const char *key, char *text, size_t size)
{
    size_t length = strlen(key);
    refresh();
    for (const char *line = state; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, key, length) == 0 && line[length] == '=') {
            size_t end = strcspn(line + length + 1, "\n");
            if (end >= size)
                end = size - 1;
            memcpy(text, line + length + 1, end);
            text[end] = '\0';
            return 1;
        }
    }
    return 0;
}

int check(nvmlDevice_t device)
{
    if (!initialised)
        return UNINITIALIZED;
    return device && device >= 1 && device <= MOST_CARDS ? SUCCESS : INVALID_ARGUMENT;
}

/* Gives a card's value as text. A handle is the card's index, counted from one. */
int text_of(nvmlDevice_t device, const char *key, char *text, unsigned int size)
{
    char whole[128];
    int result = check(device);
    if (result != SUCCESS)
        return result;
    snprintf(whole, sizeof whole, "gpu.%lu.%s", device - 1, key);
    return look_up(whole, text, size) ? SUCCESS : NOT_SUPPORTED;
}

int number_of(nvmlDevice_t device, const char *key, unsigned long long *number)
{
    char text[64];
    int result = text_of(device, key, text, sizeof text);
    if (result == SUCCESS)
        *number = strtoull(text, NULL, 10);
    return result;
}

int small_of(nvmlDevice_t device, const char *key, unsigned int *number)
{
    unsigned long long wide;
    int result = number_of(device, key, &wide);
    if (result == SUCCESS)
        *number = (unsigned int)wide;
    return result;
}

static int own_version(char *version, size_t size)
{
    struct object_info info;
    char path[PATH_MAX];
    const char *name;
    if (dladdr((void *)own_version, &info) == 0 || realpath(info.file, path) == NULL)
        return 0;
    name = strstr(path, "libnvidia-ml.so.");
    if (name == NULL)
        return 0;
    snprintf(version, size, "%s", name + strlen("libnvidia-ml.so."));
    return 1;
}

/* Finds the version in the first line of /proc/driver/nvidia/version: the first word that looks like one. */
static int loaded_version(char *version, size_t size)
{
    char line[512] = "";
    FILE *file = fopen("/proc/driver/nvidia/version", "r");
    char *word;
    if (file == NULL)
        return 0;
    if (fgets(line, sizeof line, file) == NULL)
        line[0] = '\0';
    fclose(file);
    for (word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        if (strspn(word, "0123456789.") == strlen(word) && strchr(word, '.') != NULL) {
            snprintf(version, size, "%s", word);
            return 1;
        }
    }
    return 0;
}

int nvmlInitWithFlags(unsigned int flags)
{
    char own[64], loaded[64];
    (void)flags;
    if (!loaded_version(loaded, sizeof loaded))
        return DRIVER_NOT_LOADED;
    if (own_version(own, sizeof own) && strcmp(own, loaded) != 0)
        return LIB_RM_VERSION_MISMATCH;
    initialised++;
    return SUCCESS;
}

int nvmlInit_v2(void)
{
    return nvmlInitWithFlags(0);
}

int nvmlInit(void)
{
    return nvmlInitWithFlags(0);
}

int nvmlShutdown(void)
{
    if (!initialised)
        return UNINITIALIZED;
    initialised--;
    return SUCCESS;
}

const char *nvmlErrorString(int result)
{
    static const struct {
        int code;
        const char *text;
    } texts[] = {
        {0, "Success"}, {1, "Uninitialized"}, {2, "Invalid Argument"}, {3, "Not Supported"}, {4, "Insufficient Permissions"},
        {6, "Not Found"}, {7, "Insufficient Size"}, {9, "Driver Not Loaded"}, {13, "Function Not Found"},
        {18, "Driver/library version mismatch"}, {25, "Argument version mismatch"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].code == result)
            return texts[i].text;
    return "Unknown Error";
}

int nvmlSystemGetDriverVersion(char *text, unsigned int size)
{
    if (!initialised)
        return UNINITIALIZED;
    return look_up("driver", text, size) ? SUCCESS : UNKNOWN;
}

/* NVML's own version is the CUDA major version before the driver's version. */
int nvmlSystemGetNVMLVersion(char *text, unsigned int size)
{
    char cuda[32], own[64];
    if (!look_up("cuda", cuda, sizeof cuda) || !own_version(own, sizeof own))
        return initialised ? UNKNOWN : UNINITIALIZED;
    snprintf(text, size, "%d.%s", atoi(cuda) / 1000, own);
    return SUCCESS;
}

int nvmlSystemGetCudaDriverVersion(int *version)
{
    char text[32];
    if (!look_up("cuda", text, sizeof text))
        return UNKNOWN;
    *version = atoi(text);
    return SUCCESS;
}

int nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    return nvmlSystemGetCudaDriverVersion(version);
}

int nvmlDeviceGetCount_v2(unsigned int *count)
{
    char text[32];
    if (!initialised)
        return UNINITIALIZED;
    *count = look_up("count", text, sizeof text) ? (unsigned int)atoi(text) : 0;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)
{
    unsigned int count = 0;
    int result = nvmlDeviceGetCount_v2(&count);
    if (result != SUCCESS)
        return result;
    if (index >= count)
        return INVALID_ARGUMENT;
    *device = (nvmlDevice_t)index + 1;
    return SUCCESS;
}
