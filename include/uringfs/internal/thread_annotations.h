// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Which lock guards what, in words that clang checks (-Wthread-safety). Other
// compilers see nothing.

#ifndef URINGFS_INTERNAL_THREAD_ANNOTATIONS_H_
#define URINGFS_INTERNAL_THREAD_ANNOTATIONS_H_

#if defined(__clang__)
#define URINGFS_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define URINGFS_THREAD_ANNOTATION(x)
#endif

// Of a class: a lock, or what holds one as long as it lives.
#define URINGFS_CAPABILITY(name) URINGFS_THREAD_ANNOTATION(capability(name))
#define URINGFS_SCOPED_CAPABILITY URINGFS_THREAD_ANNOTATION(scoped_lockable)

// Of a field: the lock to be held by whoever touches it.
#define URINGFS_GUARDED_BY(lock) URINGFS_THREAD_ANNOTATION(guarded_by(lock))

// Of a lock: those that are taken while it is held, never the other way round.
#define URINGFS_ACQUIRED_BEFORE(...) \
  URINGFS_THREAD_ANNOTATION(acquired_before(__VA_ARGS__))

// Of a function: what its caller holds, alone or shared, or must not hold.
#define URINGFS_REQUIRES(...) \
  URINGFS_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define URINGFS_REQUIRES_SHARED(...) \
  URINGFS_THREAD_ANNOTATION(requires_shared_capability(__VA_ARGS__))
#define URINGFS_EXCLUDES(...) \
  URINGFS_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

// Of a function: what it takes and lets go. Without an argument: the object
// itself. `result`: what it returns if it has the lock.
#define URINGFS_ACQUIRE(...) \
  URINGFS_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define URINGFS_ACQUIRE_SHARED(...) \
  URINGFS_THREAD_ANNOTATION(acquire_shared_capability(__VA_ARGS__))
#define URINGFS_RELEASE(...) \
  URINGFS_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define URINGFS_RELEASE_SHARED(...) \
  URINGFS_THREAD_ANNOTATION(release_shared_capability(__VA_ARGS__))
#define URINGFS_TRY_ACQUIRE(result) \
  URINGFS_THREAD_ANNOTATION(try_acquire_capability(result))
#define URINGFS_TRY_ACQUIRE_SHARED(result) \
  URINGFS_THREAD_ANNOTATION(try_acquire_shared_capability(result))

// Of a function that does nothing: from here on the locks count as held. For
// lambdas, which are functions of their own to the analysis.
#define URINGFS_ASSERT_CAPABILITY(...) \
  URINGFS_THREAD_ANNOTATION(assert_capability(__VA_ARGS__))
#define URINGFS_ASSERT_SHARED_CAPABILITY() \
  URINGFS_THREAD_ANNOTATION(assert_shared_capability())

// Of a function that returns a lock, so that others can name it.
#define URINGFS_RETURN_CAPABILITY(lock) \
  URINGFS_THREAD_ANNOTATION(lock_returned(lock))

// Of a function that is right in a way the analysis cannot see. Say which.
#define URINGFS_NO_THREAD_SAFETY_ANALYSIS \
  URINGFS_THREAD_ANNOTATION(no_thread_safety_analysis)

#endif  // URINGFS_INTERNAL_THREAD_ANNOTATIONS_H_
