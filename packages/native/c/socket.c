/*
 * Who is at the other end of a Unix socket, and one datagram to a Unix socket (what sd_notify(3) needs; Node has
 * neither). The peer's word is never asked: the kernel fills in the credentials.
 */
#include "addon.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* systemd reads at most PIPE_BUF bytes of a notification (NOTIFY_BUFFER_MAX) and drops longer ones. */
#define LONGEST_MESSAGE 4096

static bool set_number(napi_env env, napi_value object, const char *name, double number) {
  napi_value value;
  return is_ok(env, napi_create_double(env, number, &value)) && is_ok(env, napi_set_named_property(env, object, name, value));
}

/* peerCredentials(fd) -> {pid, uid, gid}: SO_PEERCRED of unix(7). */
napi_value peer_credentials(napi_env env, napi_callback_info info) {
  napi_value argument;
  int fd;
  if (!read_arguments(env, info, 1, &argument) || !read_descriptor(env, argument, &fd)) return NULL;

  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return throw_errno(env, "getsockopt", errno);
  /* Sockets without a known peer (unconnected, or no Unix socket at all) give this uid and no error. */
  if (size != sizeof peer || peer.uid == (uid_t)-1) return throw_errno(env, "getsockopt", ENOTCONN);

  napi_value credentials;
  if (!is_ok(env, napi_create_object(env, &credentials))) return NULL;
  bool complete = set_number(env, credentials, "pid", peer.pid) && set_number(env, credentials, "uid", peer.uid) &&
                  set_number(env, credentials, "gid", peer.gid);
  return complete ? credentials : NULL;
}

/*
 * sendDatagram(address, message): an address that starts with NUL is an abstract one, any other a path. Waits a second
 * at most for a receiver whose queue is full.
 */
napi_value send_datagram(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char path[sizeof address.sun_path + 1];
  char message[LONGEST_MESSAGE + 1];
  size_t path_length = 0;
  size_t message_length = 0;
  if (!read_arguments(env, info, 2, arguments) ||
      !read_text(env, arguments[0], "The address", path, sizeof path, &path_length) ||
      !read_text(env, arguments[1], "The message", message, sizeof message, &message_length)) {
    return NULL;
  }
  if (path_length == 0) return throw_argument(env, "The address must not be empty");
  memcpy(address.sun_path, path, path_length);

  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return throw_errno(env, "socket", errno);
  const struct timeval patience = {.tv_sec = 1};
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_length);
  int error = 0;
  if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
      sendto(fd, message, message_length, MSG_NOSIGNAL, (const struct sockaddr *)&address, size) < 0) {
    error = errno;
  }
  close(fd);
  return error == 0 ? NULL : throw_errno(env, "sendto", error);
}
