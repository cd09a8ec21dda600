/*
 * One thread that listens to the kernel's process connector, and the ring that it puts its records into. Exactly one
 * other thread may drain.
 */
#ifndef SENTINELD_NATIVE_PROCESS_LISTENER_H
#define SENTINELD_NATIVE_PROCESS_LISTENER_H

#include <linux/connector.h>
#include <linux/cn_proc.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* What is counted, in the order in which process-events.ts reads it. */
enum {
  COUNT_RECEIVED,
  COUNT_FORKS,
  COUNT_EXECS,
  COUNT_EXITS,
  COUNT_LOST,
  COUNT_OVERRUNS,
  COUNT_DROPPED,
  COUNT_ARGV_MISSED,
  COUNT_FOREIGN,
  COUNTS
};

/* One message of the connector with the sequence number that the kernel gave it. */
struct connector_message {
  uint32_t sequence;
  /* Of an answer: what the wish to listen had there, plus one. */
  uint32_t acknowledged;
  struct proc_event event;
};

/* Reads a datagram. False where it is not a whole message of the process connector. */
bool parse_connector_message(const uint8_t *bytes, size_t length, struct connector_message *message);

/* Whether the kernel sent a message, and not a process. */
bool is_from_kernel(const struct msghdr *header);

struct process_listener;

/* Starts the thread on a duplicate of `fd`. Returns 0 or an errno value. */
int start_listener(int fd, size_t ring_bytes, size_t argv_limit, struct process_listener **started);

/* Copies whole records; `*needed` is what the first one that did not fit needs, or 0. Returns the bytes copied. */
size_t drain_listener(struct process_listener *listener, uint8_t *bytes, size_t capacity, size_t *needed);

uint64_t read_count(const struct process_listener *listener, size_t which);

/* Why the thread gave up (an errno value), or 0. */
int listener_failure(const struct process_listener *listener);

/* Ends the thread, waits for it, and frees everything. */
void stop_listener(struct process_listener *listener);

#endif
