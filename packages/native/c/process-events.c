/*
 * Process events for JavaScript: opening the kernel's process connector (linux/cn_proc.h), and the handle of a
 * listener. The handle outlives its listener, so that any order of calls is a result or an error.
 */
#include "addon.h"
#include "process-listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 500
#define LARGEST_RECEIVE_BUFFER (1 << 30)
#define SMALLEST_RING (64 * 1024)
#define LARGEST_RING (256 * 1024 * 1024)
#define LARGEST_ARGV (1024 * 1024)

struct handle {
  /* NULL once it was stopped. */
  struct process_listener *listener;
};

static const napi_type_tag handle_tag = {0x73656e74696e656c, 0x70726f632d657674};

static int64_t milliseconds(void) {
  struct timespec now = {0};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Asks the kernel for events. No filter: with one the numbers of messages no longer tell what was lost. */
static bool ask_to_listen(int fd, uint32_t mark) {
  const uint32_t wish = PROC_CN_MCAST_LISTEN;
  const struct cn_msg connector = {.id = {.idx = CN_IDX_PROC, .val = CN_VAL_PROC}, .ack = mark, .len = sizeof wish};
  const struct nlmsghdr header = {.nlmsg_len = NLMSG_LENGTH(sizeof connector + sizeof wish), .nlmsg_type = NLMSG_DONE};
  uint8_t bytes[NLMSG_SPACE(sizeof connector + sizeof wish)] = {0};
  memcpy(bytes, &header, sizeof header);
  memcpy(bytes + NLMSG_HDRLEN, &connector, sizeof connector);
  memcpy(bytes + NLMSG_HDRLEN + sizeof connector, &wish, sizeof wish);
  return send(fd, bytes, header.nlmsg_len, 0) >= 0;
}

/*
 * Waits for the kernel's answer, an event of no kind with an errno value in it and our mark plus one. ETIMEDOUT: there is none, as in a pid
 * or user namespace of its own, where the kernel does not listen to the wish.
 */
static int wait_for_answer(int fd, uint32_t mark) {
  const int64_t deadline = milliseconds() + PATIENCE_MS;
  for (int64_t left = PATIENCE_MS; left > 0; left = deadline - milliseconds()) {
    struct pollfd watched = {.fd = fd, .events = POLLIN};
    if (poll(&watched, 1, (int)left) < 0 && errno != EINTR) return errno;
    struct sockaddr_nl sender;
    uint8_t bytes[256];
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr header = {.msg_name = &sender, .msg_namelen = sizeof sender, .msg_iov = &part, .msg_iovlen = 1};
    struct connector_message message;
    ssize_t length = recvmsg(fd, &header, MSG_DONTWAIT);
    if (length < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS) return errno;
    if (length < 0 || !is_from_kernel(&header) || !parse_connector_message(bytes, (size_t)length, &message)) continue;
    bool is_answer = message.event.what == PROC_EVENT_NONE && message.acknowledged == mark + 1;
    if (is_answer) return (int)message.event.event_data.ack.err;
  }
  return ETIMEDOUT;
}

/* Returns NULL, or the name of the call that failed, with its reason in errno. */
static const char *connect_to_kernel(int fd, int receive_buffer) {
  const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer) != 0 &&
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer) != 0) {
    return "setsockopt";
  }
  if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0) return "bind";
  /* Answers to other listeners arrive here too; the mark tells ours. */
  uint32_t mark = (uint32_t)getpid() ^ (uint32_t)milliseconds() << 15;
  if (!ask_to_listen(fd, mark)) return "send";
  errno = wait_for_answer(fd, mark);
  return errno == 0 ? NULL : "listen";
}

static napi_value make_opened(napi_env env, int fd) {
  int granted = 0;
  socklen_t size = sizeof granted;
  napi_value opened, number, bytes;
  getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &size);
  bool complete = is_ok(env, napi_create_object(env, &opened)) && is_ok(env, napi_create_int32(env, fd, &number)) &&
                  is_ok(env, napi_create_int32(env, granted, &bytes)) && is_ok(env, napi_set_named_property(env, opened, "fd", number)) &&
                  is_ok(env, napi_set_named_property(env, opened, "receiveBufferBytes", bytes));
  if (complete) return opened;
  close(fd);
  return NULL;
}

/* openProcessEvents(receiveBufferBytes) -> {fd, receiveBufferBytes}: events wait in the socket from now on. Survives exec. */
napi_value open_process_events(napi_env env, napi_callback_info info) {
  napi_value argument;
  double wanted = 0;
  if (!read_arguments(env, info, 1, &argument) ||
      !read_whole_number(env, argument, LARGEST_RECEIVE_BUFFER, "The receive buffer", &wanted)) {
    return NULL;
  }
  int fd = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_CONNECTOR);
  if (fd < 0) return throw_errno(env, "socket", errno);
  const char *failed = connect_to_kernel(fd, (int)wanted);
  if (failed == NULL) return make_opened(env, fd);
  int error = errno;
  close(fd);
  return throw_errno(env, failed, error);
}

/* 0, or why a descriptor is not one that openProcessEvents made. */
static int check_socket(int fd) {
  int domain = 0;
  int protocol = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return errno;
  if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0) return errno;
  return domain == AF_NETLINK && protocol == NETLINK_CONNECTOR ? 0 : EPROTOTYPE;
}

static void stop_handle(void *data) {
  struct handle *handle = data;
  if (handle->listener != NULL) stop_listener(handle->listener);
  handle->listener = NULL;
}

static void finalize_handle(napi_env env, void *data, void *hint) {
  (void)hint;
  stop_handle(data);
  napi_remove_env_cleanup_hook(env, stop_handle, data);
  free(data);
}

static napi_value make_handle(napi_env env, struct process_listener *listener) {
  napi_value object;
  struct handle *handle = calloc(1, sizeof *handle);
  if (handle == NULL) {
    stop_listener(listener);
    return throw_errno(env, "calloc", ENOMEM);
  }
  handle->listener = listener;
  if (!is_ok(env, napi_create_object(env, &object)) || !is_ok(env, napi_type_tag_object(env, object, &handle_tag)) ||
      !is_ok(env, napi_wrap(env, object, handle, finalize_handle, NULL, NULL))) {
    stop_handle(handle);
    free(handle);
    return NULL;
  }
  /* A thread of JavaScript may end without anything being collected. Where this fails the finalizer is left. */
  return is_ok(env, napi_add_env_cleanup_hook(env, stop_handle, handle)) ? object : NULL;
}

/* startProcessEvents(fd, ringBytes, argvLimitBytes) -> handle */
napi_value start_process_events(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  int fd = -1;
  double ring = 0;
  double argv = 0;
  if (!read_arguments(env, info, 3, arguments) || !read_descriptor(env, arguments[0], &fd) ||
      !read_whole_number(env, arguments[1], LARGEST_RING, "The ring", &ring) ||
      !read_whole_number(env, arguments[2], LARGEST_ARGV, "The limit of arguments", &argv)) {
    return NULL;
  }
  if (ring < SMALLEST_RING || argv < 1 || argv > ring / 2) {
    return throw_argument(env, "The ring must have 64 KiB at least, and hold the arguments twice");
  }
  int error = check_socket(fd);
  if (error != 0) return throw_errno(env, "getsockopt", error);
  struct process_listener *listener = NULL;
  error = start_listener(fd, (size_t)ring, (size_t)argv, &listener);
  return error == 0 ? make_handle(env, listener) : throw_errno(env, "start", error);
}

/* The handle of a listener that runs; NULL with an exception pending otherwise. */
static struct handle *read_handle(napi_env env, napi_value value, bool may_be_stopped) {
  bool is_handle = false;
  void *data = NULL;
  napi_valuetype type = napi_undefined;
  /* Asked about anything else than an object, Node-API throws an error of its own. */
  bool is_object = napi_typeof(env, value, &type) == napi_ok && type == napi_object;
  if (!is_object || napi_check_object_type_tag(env, value, &handle_tag, &is_handle) != napi_ok || !is_handle ||
      napi_unwrap(env, value, &data) != napi_ok) {
    throw_argument(env, "The handle must be what startProcessEvents gave");
    return NULL;
  }
  struct handle *handle = data;
  if (handle->listener != NULL || may_be_stopped) return handle;
  throw_errno(env, "drain", EBADF);
  return NULL;
}

static bool read_array(napi_env env, napi_value value, napi_typedarray_type wanted, const char *message, void **data, size_t *length) {
  napi_typedarray_type type;
  bool is_array = napi_get_typedarray_info(env, value, &type, length, data, NULL, NULL) == napi_ok && type == wanted;
  if (is_array && *data != NULL && *length > 0) return true;
  throw_argument(env, message);
  return false;
}

/* drainProcessEvents(handle, buffer) -> bytes of whole records. What made the thread give up is thrown when all is drained. */
napi_value drain_process_events(napi_env env, napi_callback_info info) {
  napi_value arguments[2], result;
  void *bytes = NULL;
  size_t capacity = 0;
  if (!read_arguments(env, info, 2, arguments)) return NULL;
  struct handle *handle = read_handle(env, arguments[0], false);
  if (handle == NULL || !read_array(env, arguments[1], napi_uint8_array, "The buffer must be a Uint8Array", &bytes, &capacity)) return NULL;

  int failure = listener_failure(handle->listener);
  size_t needed = 0;
  size_t copied = drain_listener(handle->listener, bytes, capacity, &needed);
  if (copied == 0 && needed > 0) return throw_argument(env, "The buffer is smaller than the next record");
  if (copied == 0 && failure != 0) return throw_errno(env, "recvmmsg", failure);
  return is_ok(env, napi_create_uint32(env, (uint32_t)copied, &result)) ? result : NULL;
}

/* countProcessEvents(handle, numbers): fills a Float64Array in the order of process-listener.h. */
napi_value count_process_events(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  void *numbers = NULL;
  size_t length = 0;
  if (!read_arguments(env, info, 2, arguments)) return NULL;
  struct handle *handle = read_handle(env, arguments[0], false);
  const char *wanted = "The numbers must be a Float64Array of 9 at least";
  if (handle == NULL || !read_array(env, arguments[1], napi_float64_array, wanted, &numbers, &length)) return NULL;
  if (length < COUNTS) return throw_argument(env, wanted);
  for (size_t i = 0; i < COUNTS; i++) ((double *)numbers)[i] = (double)read_count(handle->listener, i);
  return NULL;
}

/* stopProcessEvents(handle): nothing where it was stopped before. The descriptor stays open. */
napi_value stop_process_events(napi_env env, napi_callback_info info) {
  napi_value argument;
  if (!read_arguments(env, info, 1, &argument)) return NULL;
  struct handle *handle = read_handle(env, argument, true);
  if (handle != NULL) stop_handle(handle);
  return NULL;
}

/* keepAcrossExec(fd): what Node opens is closed when the program replaces itself (FD_CLOEXEC); this one is not any more. */
napi_value keep_across_exec(napi_env env, napi_callback_info info) {
  napi_value argument;
  int fd = -1;
  if (!read_arguments(env, info, 1, &argument) || !read_descriptor(env, argument, &fd)) return NULL;
  int flags = fcntl(fd, F_GETFD);
  return flags >= 0 && fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC) == 0 ? NULL : throw_errno(env, "fcntl", errno);
}
