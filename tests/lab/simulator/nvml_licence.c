/* The NVML stand-in's answer about vGPU licences: what a card can have is in the state file, what it has in licence.state. */
#include "nvml_stand_in.h"

#define LICENCE_STATE "/run/gpu-simulator/licence.state"
#define MOST_FEATURES 3

enum { EXPIRY_NOT_AVAILABLE = 0, EXPIRY_VALID = 2 };

struct expiry {
    unsigned int year;
    unsigned short month, day, hour, minute, second;
    unsigned char status;
};

struct feature {
    unsigned int code, state;
    char information[128], product[128];
    unsigned int enabled;
    struct expiry expiry;
};

struct features {
    int supported;
    unsigned int count;
    struct feature feature[MOST_FEATURES];
};

/* Finds "gpu.INDEX.expiry=YEAR MONTH DAY HOUR MINUTE SECOND", which the licensing daemon's stand-in writes for a card with a licence. */
static int expiry_of(nvmlDevice_t device, struct expiry *expiry)
{
    FILE *file = fopen(LICENCE_STATE, "r");
    char line[256];
    unsigned long index;
    int found = 0;
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "gpu.%lu.expiry=%u %hu %hu %hu %hu %hu", &index, &expiry->year, &expiry->month, &expiry->day, &expiry->hour,
                       &expiry->minute, &expiry->second) == 7 && index == device - 1;
    if (file)
        fclose(file);
    return found;
}

int nvmlDeviceGetGridLicensableFeatures_v4(nvmlDevice_t device, struct features *features)
{
    struct feature *first = &features->feature[0];
    int result = check(device);
    if (result != SUCCESS)
        return result;
    memset(features, 0, sizeof *features);
    if (small_of(device, "licence_feature", &first->code) != SUCCESS)
        return SUCCESS;
    features->supported = 1;
    features->count = 1;
    first->enabled = 1;
    text_of(device, "licence_product", first->product, sizeof first->product);
    text_of(device, "licence_product", first->information, sizeof first->information);
    memset(&first->expiry, 0, sizeof first->expiry);
    first->state = (unsigned int)expiry_of(device, &first->expiry);
    if (!first->state)
        memset(&first->expiry, 0, sizeof first->expiry);
    first->expiry.status = first->state ? EXPIRY_VALID : EXPIRY_NOT_AVAILABLE;
    return SUCCESS;
}
