// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// While a log is live its file alone is not to be believed: it lacks what only
// the ring has, and behind `written` it may hold zeros that are padding. So
// every read asks the side file first where the stream ends and from where on
// the ring has it, and afterwards whether that was still so.

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "src/base/posix_file.h"
#include "src/recovery/look.h"

#include "uringfs/internal/mutex.h"
#include "uringfs/internal/thread_annotations.h"
#include "uringfs/recovery.h"

namespace uringfs {
namespace {

// Each look that fails means that the owner has written a buffer, closed or
// opened the log meanwhile. Nobody does that so often.
constexpr int kMaxLooks = 100000;
// A file without a side file that grows between two looks was written by a log
// with a private ring, which makes no promises: give in soon.
constexpr int kMaxPlainLooks = 8;

// Of one call: what is wanted, and the answer.
struct Request {
  uint64_t offset = 0;
  size_t bytes = 0;
  char* out = nullptr;
  size_t got = 0;
  uint64_t size = 0;  // of the stream

  // How many of the wanted bytes a stream of this size has. Starts the answer.
  size_t CutTo(uint64_t stream_size) {
    size = stream_size;
    got = 0;
    return offset < size
               ? static_cast<size_t>(std::min<uint64_t>(bytes, size - offset))
               : 0;
  }
};

struct JudgedSide : Side {
  // Of the stream, if that is in front of `filled`.
  uint64_t end = UINT64_MAX;
};
using SidePointer = std::shared_ptr<const JudgedSide>;

}  // namespace

struct LogView::Body {
  std::string path;
  const LogFormat* format = nullptr;
  PosixFile log;
  struct stat identity = {};
  mutable Mutex mutex;
  // `attached` has more of the log than its file; null: the file is all there
  // is to know of, up to `file_end`, as was judged when the side file was
  // `judged`.
  mutable SidePointer attached URINGFS_GUARDED_BY(mutex);
  mutable SidePointer judged URINGFS_GUARDED_BY(mutex);
  mutable uint64_t file_end URINGFS_GUARDED_BY(mutex) = UINT64_MAX;

  Status Serve(Request* request) const;
  // The side file that has more of this log than its file, or null. Errors:
  // it is unusable.
  Status FindSide(SidePointer* side) const;
  Status Take(SideLook* look, SidePointer* side) const;
  // Whether the side file is what it was when it was judged.
  bool IsAsJudged(const Side& now) const URINGFS_REQUIRES(mutex);
  Status ServePlain(bool is_patient, Request* request, bool* is_done) const;
  void Drop(const SidePointer& side) const;
  Status FileSize(uint64_t* bytes) const;
  // Both set *is_done, or the log has changed meanwhile.
  Status ServeLive(const SidePointer& side, Request* request,
                   bool* is_done) const;
};

bool LogView::Body::IsAsJudged(const Side& now) const {
  return judged != nullptr && now.content == judged->content &&
         IsSameFile(now.stat, judged->stat) && IsSameFile(now.log, identity) &&
         now.header.generation == judged->header.generation &&
         now.words.written == judged->words.written &&
         now.words.filled == judged->words.filled;
}

Status LogView::Body::FindSide(SidePointer* side) const {
  Side now;
  {
    const MutexLock lock(&mutex);
    if (attached != nullptr) {
      *side = attached;
      return Status::Ok();
    }
    *side = nullptr;
    // Whoever may read the log but not what is beside it is told so: the file
    // alone may end in zeros, at which a reader stops for good.
    Status status = LookAtSide(path, &now);
    if (!status.ok() || now.content == SideContent::kMissing) {
      file_end = UINT64_MAX;
      return status;
    }
    if (IsAsJudged(now)) {
      return status;
    }
  }
  SideLook look;
  Status status = LookOnce(path, format, &look);
  // Through a symbolic link too: that is judged as well.
  const bool is_of_it =
      look.side.has_log &&
      (IsSameFile(look.side.log, identity) || S_ISLNK(look.side.log.st_mode));
  return status.ok() && is_of_it ? Take(&look, side) : status;
}

Status LogView::Body::Take(SideLook* look, SidePointer* side) const {
  const Judgement& judgement = look->judgement;
  std::string why_not;
  const bool is_torn = look->FindTear(path, format, &why_not);
  const bool is_whole = judgement.verdict == SideVerdict::kWhole;
  if (judgement.verdict == SideVerdict::kUnusable) {
    // No corruption, of which RocksDB makes the end of the log.
    return Status::IoError(UnusableMessage(path, judgement));
  }
  const MutexLock lock(&mutex);
  const bool has_more =
      (look->is_owned && look->side.content == SideContent::kLive) ||
      (is_whole && judgement.at_stake > 0);
  file_end = is_torn                 ? look->of_log.offset
             : is_whole && !has_more ? judgement.end
                                     : UINT64_MAX;
  const auto found = std::make_shared<const JudgedSide>(JudgedSide{
      std::move(look->side), look->is_owned ? UINT64_MAX : judgement.end});
  // One that its owner is just taking in hand is looked at again.
  judged = has_more || look->is_owned ? nullptr : found;
  if (has_more) {
    attached = found;
  }
  *side = has_more ? found : nullptr;
  return Status::Ok();
}

void LogView::Body::Drop(const SidePointer& side) const {
  const MutexLock lock(&mutex);
  if (attached == side) {
    attached = nullptr;
  }
}

Status LogView::Body::FileSize(uint64_t* bytes) const {
  struct stat stat = {};
  const int error = log.Stat(&stat);
  *bytes = static_cast<uint64_t>(stat.st_size);
  return error == 0 ? Status::Ok() : Status::FromErrno(error, "fstat", path);
}

Status LogView::Body::ServeLive(const SidePointer& side, Request* request,
                                bool* is_done) const {
  SideWords words;
  if (!ReadSideWords(*side, &words)) {
    Drop(side);
    return Status::Ok();
  }
  const size_t wanted = request->CutTo(std::min(words.filled, side->end));
  if (wanted == 0) {
    *is_done = true;
    return Status::Ok();
  }
  const uint64_t end = request->offset + wanted;
  const uint64_t ring_begin =
      std::min(end, std::max(request->offset, words.written));
  const auto of_file = static_cast<size_t>(ring_begin - request->offset);
  const size_t of_ring = wanted - of_file;
  size_t got = 0;
  const int error = log.ReadAt(request->offset, of_file, request->out, &got);
  if (error != 0) {
    return Status::FromErrno(error, "read", path);
  }
  SideWords now;
  const bool is_whole =
      got == of_file &&
      ReadSideRing(*side, ring_begin, of_ring, request->out + of_file) == 0 &&
      ReadSideWords(*side, &now);
  if (!is_whole) {
    Drop(side);
    return Status::Ok();
  }
  // Once the file has a buffer, the buffer may hold later bytes.
  const bool is_overtaken =
      of_ring > 0 && side->SeqOf(now.written) > side->SeqOf(ring_begin);
  request->got = wanted;
  *is_done = !is_overtaken && now.filled >= end;
  return Status::Ok();
}

// Without a side file behind the read, and of one size before and behind it,
// the file is the log. `is_patient` asks for the latter.
Status LogView::Body::ServePlain(bool is_patient, Request* request,
                                 bool* is_done) const {
  uint64_t before = 0;
  Status status = FileSize(&before);
  if (!status.ok()) {
    return status;
  }
  uint64_t end = 0;
  {
    const MutexLock lock(&mutex);
    end = file_end;
  }
  const int error =
      log.ReadAt(request->offset, request->CutTo(std::min(before, end)),
                 request->out, &request->got);
  if (error != 0) {
    return Status::FromErrno(error, "read", path);
  }
  SidePointer side;
  status = FindSide(&side);
  uint64_t after = 0;
  if (status.ok()) {
    status = FileSize(&after);
  }
  *is_done = side == nullptr && (before == after || !is_patient);
  return status;
}

Status LogView::Body::Serve(Request* request) const {
  for (int looks = 0; looks < kMaxLooks; ++looks) {
    SidePointer side;
    bool is_done = false;
    Status status = FindSide(&side);
    if (status.ok()) {
      status = side != nullptr
                   ? ServeLive(side, request, &is_done)
                   : ServePlain(looks < kMaxPlainLooks, request, &is_done);
    }
    if (!status.ok() || is_done) {
      return status;
    }
  }
  return Status::FromErrno(EBUSY, "read a log that keeps changing", path);
}

LogView::LogView(std::unique_ptr<Body> body) : body_(std::move(body)) {}

LogView::~LogView() = default;

Status LogView::Open(const std::string& log_path, const LogFormat* format,
                     std::unique_ptr<LogView>* view) {
  auto body = std::make_unique<Body>();
  body->path = log_path;
  body->format = format;
  int error = body->log.Open(log_path, O_RDONLY);
  if (error == 0) {
    error = body->log.Stat(&body->identity);
  }
  if (error != 0) {
    return Status::FromErrno(error, "open", log_path);
  }
  if (!S_ISREG(body->identity.st_mode)) {
    return Status::InvalidArgument(log_path + ": not a regular file");
  }
  SidePointer side;
  Status status = body->FindSide(&side);
  if (status.ok()) {
    view->reset(new LogView(std::move(body)));
  }
  return status;
}

Status LogView::Size(uint64_t* bytes) const {
  Request request;
  Status status = body_->Serve(&request);
  *bytes = request.size;
  return status;
}

Status LogView::Read(uint64_t offset, size_t bytes, char* out,
                     size_t* got) const {
  Request request;
  request.offset = offset;
  request.bytes = bytes;
  request.out = out;
  Status status = body_->Serve(&request);
  *got = status.ok() ? request.got : 0;
  return status;
}

}  // namespace uringfs
