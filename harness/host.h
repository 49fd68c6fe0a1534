/* The machine: what it is, which results of one machine share, and the state it is in, which may wobble. */
#ifndef HARNESS_HOST_H
#define HARNESS_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What the machine is. Read from the kernel's tables, with nothing in it that changes from boot to boot:
 * memory is rounded to GiB because the kernel's own share of it varies. */
typedef struct host {
    char model[128];     /* "AMD EPYC 7763 64-Core Processor" */
    char stepping[96];   /* vendor, family, model, stepping, where the kernel tells them */
    char isa[256];       /* the instruction set extensions that matter here, space-separated */
    uint64_t l1d_bytes, l2_bytes, l3_bytes; /* one instance of each, as CPU 0 sees it; 0: none or unknown */
    size_t cpus, cores;  /* logical CPUs and physical cores present */
    uint64_t memory_gib;
    char fingerprint[17]; /* hash of all of the above, 16 hex digits; the host's name is no part of it */
} host;

/* The state of the machine. Texts are "", numbers NaN and counts 0 where unknown. */
typedef struct environment {
    char hostname[65];
    char os[96];          /* "Debian GNU/Linux 12 (bookworm)" */
    char kernel[128];     /* "Linux 6.1.0-18-amd64" */
    char microcode[32];
    char hypervisor[64];  /* "KVM", ...; "" on bare metal or where it hides */
    bool is_virtual;      /* the CPU says it is a guest's */
    char governor[32];    /* cpufreq governor of CPU 0 */
    char turbo[8], smt[8], aslr[8], nmi_watchdog[8]; /* "on", "off" */
    char thp[16];         /* transparent huge pages: "always", "madvise", "never" */
    int perf_paranoid;    /* PERF_PARANOID_UNKNOWN */
    double load;          /* 1-minute load average */
    double steal;         /* share of CPU time since boot that the hypervisor gave to others */
    double pressure;      /* % of the last 10 s in which something waited for a CPU */
    double quota;         /* CPUs that the control group allows; NaN: no limit known */
    size_t allowed;       /* CPUs this process may run on */
} environment;

/* `root` is put before every path read: "" for this machine, a folder in tests. */
void host_read(host *out, const char *root);
void environment_read(environment *out, const char *root);

/* One JSON object on one line, without newline; unknown values are null. */
void host_json(FILE *out, const host *h);
void environment_json(FILE *out, const environment *e);

/* The environment of this moment as JSON; free() it. NULL: out of memory. */
char *environment_describe(void);

#endif
