#include "driver.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* utime + stime of all threads: fields 14 and 15 of /proc/<pid>/stat, counted after the parenthesised name. */
uint64_t process_cpu_microseconds(int process) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", process);
    FILE *file = fopen(path, "r");
    if (!file) die(path);
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    unsigned long user, system;
    char *name_end = strrchr(text, ')');
    if (!name_end || sscanf(name_end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        die(path);
    return (uint64_t)(user + system) * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

uint64_t process_resident_bytes(int process) {
    char path[64], line[256];
    unsigned long kibibytes = 0;
    snprintf(path, sizeof path, "/proc/%d/status", process);
    FILE *file = fopen(path, "r");
    if (!file) die(path);
    while (fgets(line, sizeof line, file) && sscanf(line, "VmRSS: %lu", &kibibytes) != 1) {}
    fclose(file);
    return (uint64_t)kibibytes * 1024;
}
