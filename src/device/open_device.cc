// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/device/open_device.h"

#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "src/base/aligned_buffer.h"
#include "src/device/direct_file.h"
#include "src/device/open_file.h"
#include "src/device/pwrite_device.h"
#include "src/device/uring_device.h"
#include "src/device/uring_queue.h"

namespace uringfs {
namespace {

// A probe registers no more than this: registering pins every page.
constexpr size_t kMaxProbeBytes = 8u << 20;

void Add(const std::string& sentence, std::string* reason) {
  if (!sentence.empty()) {
    *reason += reason->empty() ? sentence : "; " + sentence;
  }
}

// Decides between io_uring and pwrite for `file`. *queue is null for pwrite.
Status ChooseEngine(const OpenedFile& file, const LogOptions& options,
                    IoContext* context, UringQueue** queue, IoChoice* choice) {
  *queue = nullptr;
  *choice = IoChoice();
  choice->uses_direct_io = file.direct;
  choice->reason = file.reason;
  if (options.io_engine == IoEngine::kPwrite) {
    return Status::Ok();
  }
  if (options.io_engine == IoEngine::kAuto && file.in_memory) {
    // A write to memory is done when the call returns; a ring only adds to it.
    Add("pwrite: tmpfs: there is no device to wait for", &choice->reason);
    return Status::Ok();
  }
  Status status = context->Queue(queue);
  if (!status.ok()) {
    if (options.io_engine == IoEngine::kUring) {
      return status;
    }
    Add(status.ToString(), &choice->reason);
    return Status::Ok();
  }
  choice->uses_io_uring = true;
  choice->uses_registered_buffers = (*queue)->registered();
  Add((*queue)->registration_refusal(), &choice->reason);
  return Status::Ok();
}

// A reader that looks whether there is an owner holds the lock for an instant.
constexpr int kLockAttempts = 100;

Status Lock(int fd, const std::string& path, std::string* refusal) {
  for (int attempt = 0; ::flock(fd, LOCK_EX | LOCK_NB) != 0; ++attempt) {
    const int error = errno;
    if (error == EWOULDBLOCK && attempt < kLockAttempts) {
      ::usleep(1000);
    } else if (error == EWOULDBLOCK) {
      return Status::FromErrno(error, "lock (it is open for write elsewhere)",
                               path);
    } else if (error != EINTR) {
      *refusal = Status::FromErrno(error, "flock", path).ToString();
      return Status::Ok();
    }
  }
  return Status::Ok();
}

}  // namespace

Status OpenDevice(const std::string& path, const LogOptions& options,
                  IoContext* context, OpenedDevice* opened) {
  UringQueue* queue = nullptr;
  if (options.io_engine == IoEngine::kUring) {
    // Found out first: nothing may happen to the file if this is refused.
    if (Status status = context->Queue(&queue); !status.ok()) {
      return status;
    }
  }
  OpenedFile file;
  if (Status status = OpenFile(path, options, &file); !status.ok()) {
    return status;
  }
  Status status;
  if (options.ring_home == RingHome::kShared) {
    status = Lock(file.fd, path, &opened->lock_refusal);
  }
  IoChoice choice;
  if (status.ok()) {
    status = ChooseEngine(file, options, context, &queue, &choice);
  }
  if (!status.ok()) {
    ::close(file.fd);
    return status;
  }
  auto direct_file =
      std::make_unique<DirectFile>(context->sys(), file.fd, path, file.direct,
                                   options.direct_io == DirectIo::kRequired);
  if (queue != nullptr) {
    opened->device =
        std::make_unique<UringDevice>(std::move(direct_file), queue, choice);
  } else {
    opened->device =
        std::make_unique<PwriteDevice>(std::move(direct_file), choice);
  }
  opened->size_bytes = static_cast<uint64_t>(file.stat.st_size);
  opened->identity = IdentityOf(file.fd, file.stat);
  return Status::Ok();
}

Status ProbeDevice(const std::string& directory, const LogOptions& options,
                   IoChoice* choice) {
  if (Status status = options.Validate(); !status.ok()) {
    return status;
  }
  OpenedFile file;
  if (Status status = OpenNameless(directory, options, &file); !status.ok()) {
    return status;
  }
  if (file.fd >= 0) {
    ::close(file.fd);  // and with it the file is gone
  }
  const size_t ring_bytes =
      size_t{options.buffer_bytes} * options.buffers_count;
  AlignedBuffer memory;
  if (Status status = AlignedBuffer::Allocate(
          std::min(ring_bytes, kMaxProbeBytes), &memory);
      !status.ok()) {
    return status;
  }
  IoContext context(memory.data(), memory.bytes());
  UringQueue* queue = nullptr;
  return ChooseEngine(file, options, &context, &queue, choice);
}

}  // namespace uringfs
