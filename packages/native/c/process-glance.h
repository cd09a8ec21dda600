/*
 * The record of an event, and what is read of a process for it.
 */
#ifndef SENTINELD_NATIVE_PROCESS_GLANCE_H
#define SENTINELD_NATIVE_PROCESS_GLANCE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIND_FORK 1
#define KIND_EXEC 2
#define KIND_EXIT 3

/* Bits of process_record.known: which of the fields after `ppid` were read. */
#define KNOWN_STATUS 1
#define KNOWN_OWNER 2
#define KNOWN_EXE 4
#define KNOWN_ARGV 8

/* A record as it is handed over, little-endian; name, exe and argv follow it without NUL. */
struct process_record {
  uint32_t length; /* of all of it */
  uint8_t kind;
  uint8_t known;
  uint16_t name_length;
  uint64_t time_ns; /* CLOCK_MONOTONIC */
  int32_t pid;
  int32_t ppid; /* 0: not known */
  uint64_t start_ticks;
  uint32_t uid;
  uint32_t gid;
  uint32_t wait_status;
  uint32_t exe_length;
  uint32_t argv_length;
  uint32_t reserved;
};

/* Room for what is read, so that nothing is allocated. */
struct process_glance {
  uint64_t tick_ns;
  size_t argv_limit;
  uint8_t *argv;
  char exe[PATH_MAX];
  /* A stat line has 52 numbers and a name of at most 64 bytes. */
  char stat[2048];
};

/*
 * Reads what /proc tells of the process `record->pid` into the record and the glance. Returns its name, which is not
 * terminated; of nothing that is not known there are any bytes.
 */
const char *look_at_process(struct process_glance *glance, struct process_record *record);

#endif
