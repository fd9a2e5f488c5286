// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// FileDevice: what the devices on a real file have in common, which is all but
// the way a write is handed over: the file, and the list of writes that are
// complete and wait for Reap.

#ifndef URINGFS_DEVICE_FILE_DEVICE_H_
#define URINGFS_DEVICE_FILE_DEVICE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "src/device/device.h"
#include "src/device/direct_file.h"

namespace uringfs {

class FileDevice : public Device {
 public:
  // At most half of a ring's submission queue, so that its completion queue
  // cannot overflow; as many as LogOptions::writes_in_flight may ask for.
  static constexpr size_t kMaxInFlight = 64;

  ~FileDevice() override;
  FileDevice(const FileDevice&) = delete;
  FileDevice& operator=(const FileDevice&) = delete;

  void WriteNow(Write* write) override;
  Status MakeDurable(SyncKind kind) override;
  Status Resize(uint64_t bytes) override;
  Status Extend(uint64_t from, uint64_t to) override;
  Status Allocate(uint64_t from, uint64_t to) override;
  Status Read(uint64_t offset, char* data, size_t bytes, size_t* got) override;
  Status WriteCached(uint64_t offset, const char* data, size_t bytes) override;
  Status WriteBack() override;
  bool HasName() const override;
  Status Close() override;
  void SetLifetimeHint(int hint) override;
  size_t in_flight() const override { return in_flight_; }
  size_t max_in_flight() const override { return kMaxInFlight; }
  IoChoice choice() const override;

 protected:
  // `choice` as it stood when the file was opened.
  FileDevice(std::unique_ptr<DirectFile> file, const IoChoice& choice);

  DirectFile& file() { return *file_; }

  // Checks the write, resets its outcome and counts it in.
  void Admit(Write* write);
  // The write is complete: the next Reap may tell of it.
  void Finish(Write* write);
  // Moves finished writes, oldest first, and counts them out.
  size_t TakeFinished(Write** done, size_t capacity);
  size_t finished() const { return finished_.size(); }

 private:
  // What nobody has to have failed: notes why.
  Status Offered(Status status, const char* what);

  const std::unique_ptr<DirectFile> file_;
  const IoChoice choice_;
  size_t in_flight_ = 0;
  std::vector<Write*> finished_;  // never grows beyond kMaxInFlight
};

}  // namespace uringfs

#endif  // URINGFS_DEVICE_FILE_DEVICE_H_
