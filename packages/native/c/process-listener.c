/*
 * The thread behind process events. It waits for messages of the process connector, counts what is missing between
 * them, looks at a process that called exec before it can end, and puts a record for each event into a ring.
 * It allocates nothing: all it works with is in one mapping that is made before it starts.
 */
#include "process-listener.h"
#include "process-glance.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <uv.h>

#define BATCH 64
#define MESSAGE_BYTES 256
#define STACK_BYTES (256 * 1024)
/* CONFIG_NR_CPUS is 8192 at most on both architectures. */
#define MOST_CPUS 8192

_Static_assert(sizeof(struct process_record) == 56, "process-events.ts reads records of this shape");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are little-endian");

struct process_listener {
  int fd;
  int stop_fd;
  uv_thread_t thread;
  size_t mapped;
  size_t ring_bytes;
  /* Bytes ever written and ever read; each has one writer. */
  _Atomic uint64_t written;
  _Atomic uint64_t drained;
  _Atomic uint64_t counts[COUNTS];
  _Atomic int failure;
  uint32_t next_sequence[MOST_CPUS];
  bool heard_of[MOST_CPUS];
  struct mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  struct sockaddr_nl senders[BATCH];
  uint8_t bytes[BATCH][MESSAGE_BYTES];
  struct process_glance glance;
  /* The ring, and after it room for the arguments. */
  uint8_t ring[];
};

bool parse_connector_message(const uint8_t *bytes, size_t length, struct connector_message *message) {
  struct cn_msg header;
  if (length < NLMSG_LENGTH(sizeof header + sizeof message->event)) return false;
  memcpy(&header, bytes + NLMSG_HDRLEN, sizeof header);
  if (header.id.idx != CN_IDX_PROC || header.id.val != CN_VAL_PROC || header.len < sizeof message->event) return false;
  message->sequence = header.seq;
  message->acknowledged = header.ack;
  memcpy(&message->event, bytes + NLMSG_HDRLEN + sizeof header, sizeof message->event);
  return true;
}

bool is_from_kernel(const struct msghdr *header) {
  const struct sockaddr_nl *sender = header->msg_name;
  return header->msg_namelen == sizeof *sender && sender->nl_family == AF_NETLINK && sender->nl_pid == 0;
}

static void count(struct process_listener *listener, size_t which, uint64_t more) {
  atomic_fetch_add_explicit(&listener->counts[which], more, memory_order_relaxed);
}

static void put(struct process_listener *listener, uint64_t at, const void *bytes, size_t length) {
  size_t start = at % listener->ring_bytes;
  size_t first = length < listener->ring_bytes - start ? length : listener->ring_bytes - start;
  memcpy(listener->ring + start, bytes, first);
  memcpy(listener->ring, (const uint8_t *)bytes + first, length - first);
}

static void take(const struct process_listener *listener, uint64_t at, void *bytes, size_t length) {
  size_t start = at % listener->ring_bytes;
  size_t first = length < listener->ring_bytes - start ? length : listener->ring_bytes - start;
  memcpy(bytes, listener->ring + start, first);
  memcpy((uint8_t *)bytes + first, listener->ring, length - first);
}

static void put_record(struct process_listener *listener, struct process_record *record, const char *name) {
  uint64_t at = atomic_load_explicit(&listener->written, memory_order_relaxed);
  uint64_t drained = atomic_load_explicit(&listener->drained, memory_order_acquire);
  record->length = (uint32_t)(sizeof *record + record->name_length + record->exe_length + record->argv_length);
  if (record->length > listener->ring_bytes - (at - drained)) {
    count(listener, COUNT_DROPPED, 1);
    return;
  }
  put(listener, at, record, sizeof *record);
  put(listener, at + sizeof *record, name, record->name_length);
  put(listener, at + sizeof *record + record->name_length, listener->glance.exe, record->exe_length);
  put(listener, at + sizeof *record + record->name_length + record->exe_length, listener->glance.argv, record->argv_length);
  atomic_store_explicit(&listener->written, at + record->length, memory_order_release);
}

size_t drain_listener(struct process_listener *listener, uint8_t *bytes, size_t capacity, size_t *needed) {
  uint64_t at = atomic_load_explicit(&listener->drained, memory_order_relaxed);
  const uint64_t written = atomic_load_explicit(&listener->written, memory_order_acquire);
  size_t copied = 0;
  *needed = 0;
  while (at < written) {
    uint32_t length = 0;
    take(listener, at, &length, sizeof length);
    if (length > capacity - copied) {
      *needed = length;
      break;
    }
    take(listener, at, bytes + copied, length);
    copied += length;
    at += length;
  }
  atomic_store_explicit(&listener->drained, at, memory_order_release);
  return copied;
}

uint64_t read_count(const struct process_listener *listener, size_t which) {
  return atomic_load_explicit(&listener->counts[which], memory_order_relaxed);
}

int listener_failure(const struct process_listener *listener) {
  return atomic_load_explicit(&listener->failure, memory_order_acquire);
}

static void note_exec(struct process_listener *listener, const struct proc_event *event) {
  struct process_record record = {.kind = KIND_EXEC, .time_ns = event->timestamp_ns, .pid = event->event_data.exec.process_tgid};
  count(listener, COUNT_EXECS, 1);
  const char *name = look_at_process(&listener->glance, &record);
  if ((record.known & KNOWN_ARGV) == 0) count(listener, COUNT_ARGV_MISSED, 1);
  put_record(listener, &record, name);
}

/* A thread is no process: its id is not that of its group. */
static void note_event(struct process_listener *listener, const struct proc_event *event) {
  struct process_record record = {.time_ns = event->timestamp_ns};
  switch (event->what) {
    case PROC_EVENT_FORK:
      if (event->event_data.fork.child_pid != event->event_data.fork.child_tgid) return;
      record.kind = KIND_FORK;
      record.pid = event->event_data.fork.child_tgid;
      record.ppid = event->event_data.fork.parent_tgid;
      count(listener, COUNT_FORKS, 1);
      break;
    case PROC_EVENT_EXIT:
      if (event->event_data.exit.process_pid != event->event_data.exit.process_tgid) return;
      record.kind = KIND_EXIT;
      record.pid = event->event_data.exit.process_tgid;
      record.ppid = event->event_data.exit.parent_tgid;
      record.wait_status = event->event_data.exit.exit_code;
      count(listener, COUNT_EXITS, 1);
      break;
    case PROC_EVENT_EXEC:
      note_exec(listener, event);
      return;
    default:
      return;
  }
  put_record(listener, &record, "");
}

/*
 * Every CPU numbers its messages; a gap is what the socket had no room for. Answers of old kernels to somebody's wish to
 * listen have no CPU and no number.
 */
static void follow_sequence(struct process_listener *listener, uint32_t cpu, uint32_t sequence) {
  if (cpu >= MOST_CPUS) return;
  uint32_t gap = sequence - listener->next_sequence[cpu];
  if (listener->heard_of[cpu] && gap <= INT32_MAX) count(listener, COUNT_LOST, gap);
  listener->heard_of[cpu] = true;
  listener->next_sequence[cpu] = sequence + 1;
}

static void take_message(struct process_listener *listener, size_t index) {
  const struct mmsghdr *header = &listener->messages[index];
  struct connector_message message;
  if (!is_from_kernel(&header->msg_hdr)) {
    count(listener, COUNT_FOREIGN, 1);
    return;
  }
  if (!parse_connector_message(listener->bytes[index], header->msg_len, &message)) return;
  count(listener, COUNT_RECEIVED, 1);
  follow_sequence(listener, message.event.cpu, message.sequence);
  note_event(listener, &message.event);
}

/* Takes one batch. False where the socket is of no more use; `failure` says why. */
static bool take_batch(struct process_listener *listener) {
  for (size_t i = 0; i < BATCH; i++) listener->messages[i].msg_hdr.msg_namelen = sizeof listener->senders[i];
  int received = recvmmsg(listener->fd, listener->messages, BATCH, MSG_DONTWAIT, NULL);
  for (int i = 0; i < received; i++) take_message(listener, (size_t)i);
  if (received >= 0 || errno == EAGAIN || errno == EINTR) return true;
  if (errno == ENOBUFS) {
    count(listener, COUNT_OVERRUNS, 1);
    return true;
  }
  atomic_store_explicit(&listener->failure, errno, memory_order_release);
  return false;
}

static void listen_for_processes(void *argument) {
  struct process_listener *listener = argument;
  struct pollfd watched[2] = {{.fd = listener->fd, .events = POLLIN}, {.fd = listener->stop_fd, .events = POLLIN}};
  prctl(PR_SET_NAME, "process-events", 0, 0, 0);
  for (;;) {
    if (poll(watched, 2, -1) < 0 && errno != EINTR) {
      atomic_store_explicit(&listener->failure, errno, memory_order_release);
      return;
    }
    if (watched[1].revents != 0 || !take_batch(listener)) return;
  }
}

static void discard_listener(struct process_listener *listener) {
  if (listener->fd >= 0) close(listener->fd);
  if (listener->stop_fd >= 0) close(listener->stop_fd);
  munmap(listener, listener->mapped);
}

int start_listener(int fd, size_t ring_bytes, size_t argv_limit, struct process_listener **started) {
  size_t mapped = sizeof(struct process_listener) + ring_bytes + argv_limit;
  struct process_listener *listener = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (listener == MAP_FAILED) return errno;
  listener->mapped = mapped;
  listener->ring_bytes = ring_bytes;
  listener->glance.tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
  listener->glance.argv = listener->ring + ring_bytes;
  listener->glance.argv_limit = argv_limit;
  for (size_t i = 0; i < BATCH; i++) {
    listener->parts[i] = (struct iovec){.iov_base = listener->bytes[i], .iov_len = MESSAGE_BYTES};
    listener->messages[i].msg_hdr = (struct msghdr){.msg_name = &listener->senders[i], .msg_iov = &listener->parts[i], .msg_iovlen = 1};
  }
  listener->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  listener->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int error = listener->fd < 0 || listener->stop_fd < 0 ? errno : 0;

  /* The thread starts with the signal mask of the one that makes it: no signal is its business. */
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK_BYTES};
  if (error == 0) error = -uv_thread_create_ex(&listener->thread, &options, listen_for_processes, listener);
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (error != 0) {
    discard_listener(listener);
    return error;
  }
  *started = listener;
  return 0;
}

void stop_listener(struct process_listener *listener) {
  const uint64_t one = 1;
  /* An eventfd that is not full takes it at once. */
  while (write(listener->stop_fd, &one, sizeof one) < 0 && errno == EINTR) continue;
  uv_thread_join(&listener->thread);
  discard_listener(listener);
}
