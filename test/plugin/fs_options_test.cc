// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "plugin/fs_options.h"

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <utility>

#include "test/plugin/scoped_variable.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uringfs {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(FsOptionsTest, DefaultsAreValid) {
  EXPECT_TRUE(ValidateFsOptions(UringFsOptions()).ok());
}

TEST(FsOptionsTest, SizesTakeSuffixes) {
  UringFsOptions options;
  ASSERT_TRUE(SetFsOption("wal_buffer_bytes", "64K", &options).ok());
  EXPECT_EQ(options.wal_buffer_bytes, 64u << 10);
  ASSERT_TRUE(SetFsOption("wal_buffer_bytes", "2m", &options).ok());
  EXPECT_EQ(options.wal_buffer_bytes, 2u << 20);
  ASSERT_TRUE(SetFsOption("data_buffer_bytes", "8192", &options).ok());
  EXPECT_EQ(options.data_buffer_bytes, 8192u);
}

TEST(FsOptionsTest, EveryOptionCanBeSet) {
  const std::string text =
      "wal_buffer_bytes=8K;wal_buffers=5;wal_ring=private;"
      "wal_ring_after_bytes=1;wal_drain_within=2ms;wal_durable_within=5ms;"
      "wal_preextend=on;wal_preextend_bytes=64K;wal_flush_window_bytes=128K;"
      "data_cached_bytes=7;data_buffer_bytes=1M;data_buffers=6;"
      "data_writes_in_flight=3;max_buffer_bytes=32M;data_cache=all;"
      "compaction_reads=cached;direct_io=required;io_engine=pwrite;"
      "stats_file=/x/y";
  UringFsOptions options;
  ASSERT_TRUE(ParseFsOptions(text, ';', &options).ok());
  EXPECT_EQ(FormatFsOptions(options), text);
  // Blanks, and a separator at the end.
  ASSERT_TRUE(
      ParseFsOptions(" wal_buffers = 5; direct_io=required; ;", ';', &options)
          .ok());
  EXPECT_EQ(options.wal_buffer_bytes, 8192u);
  EXPECT_EQ(options.wal_buffers, 5u);
  EXPECT_EQ(options.data_buffer_bytes, 1u << 20);
  EXPECT_EQ(options.data_buffers, 6u);
  EXPECT_EQ(options.data_writes_in_flight, 3u);
  EXPECT_EQ(options.wal_ring, RingHome::kPrivate);
  EXPECT_EQ(options.direct_io, DirectIo::kRequired);
  EXPECT_EQ(options.io_engine, IoEngine::kPwrite);
  EXPECT_EQ(options.stats_file, "/x/y");
}

TEST(FsOptionsTest, AValueThatIsNoneOfTheChoicesIsRefused) {
  UringFsOptions options;
  options.data_cache = static_cast<DataCache>(99);
  EXPECT_THAT(ValidateFsOptions(options).ToString(),
              AllOf(HasSubstr("'data_cache'"), HasSubstr("auto|none|all")));
}

TEST(FsOptionsTest, FormattedOptionsParseToTheSame) {
  UringFsOptions options;
  options.wal_buffers = 9;
  options.wal_ring = RingHome::kPrivate;
  options.direct_io = DirectIo::kOff;
  options.stats_file = "-";
  UringFsOptions parsed;
  ASSERT_TRUE(ParseFsOptions(FormatFsOptions(options), ';', &parsed).ok());
  EXPECT_EQ(FormatFsOptions(parsed), FormatFsOptions(options));
  EXPECT_EQ(parsed.wal_ring, RingHome::kPrivate);
}

TEST(FsOptionsTest, OnlyTheRingsOfWalsAreShared) {
  UringFsOptions options;
  EXPECT_EQ(WalLogOptions(options).ring_home, RingHome::kShared);
  EXPECT_EQ(DataLogOptions(options).ring_home, RingHome::kPrivate);
  options.wal_ring = RingHome::kPrivate;
  EXPECT_EQ(WalLogOptions(options).ring_home, RingHome::kPrivate);
}

TEST(FsOptionsTest, AnUnknownOptionIsNamedAndTheKnownOnesListed) {
  UringFsOptions options;
  const Status status = SetFsOption("wal_bufers", "3", &options);
  EXPECT_EQ(status.code(), Status::Code::kInvalidArgument);
  EXPECT_THAT(status.ToString(),
              AllOf(HasSubstr("'wal_bufers'"), HasSubstr("wal_buffers"),
                    HasSubstr("stats_file")));
}

TEST(FsOptionsTest, ABadValueIsNamedWithTheRange) {
  UringFsOptions options;
  EXPECT_THAT(SetFsOption("wal_buffers", "1", &options).ToString(),
              AllOf(HasSubstr("'wal_buffers'"), HasSubstr("'1'"),
                    HasSubstr("from 2 to 1024")));
  EXPECT_THAT(SetFsOption("wal_buffer_bytes", "5000", &options).ToString(),
              AllOf(HasSubstr("power of two"), HasSubstr("4K to 4M")));
  EXPECT_THAT(SetFsOption("io_engine", "aio", &options).ToString(),
              HasSubstr("auto|uring|pwrite"));
  EXPECT_THAT(SetFsOption("direct_io", "", &options).ToString(),
              HasSubstr("optional|required|off"));
  EXPECT_THAT(SetFsOption("wal_ring", "public", &options).ToString(),
              HasSubstr("shared|private"));
}

TEST(FsOptionsTest, Times) {
  UringFsOptions options;
  for (const auto& [text, milliseconds] :
       {std::pair<const char*, uint32_t>{"10", 10},
        {"10ms", 10},
        {"0", 0},
        {"60s", 60000},
        {"0ms", 0}}) {
    ASSERT_TRUE(SetFsOption("wal_durable_within", text, &options).ok()) << text;
    EXPECT_EQ(options.wal_durable_within, milliseconds) << text;
    EXPECT_TRUE(ValidateFsOptions(options).ok());
    EXPECT_EQ(WalLogOptions(options).durable_within_ms, milliseconds);
  }
  for (const char* bad :
       {"", "ms", "s", "-1", "1m", "1K", "1Kms", "61s", "10 ms", "10msms",
        "0.1s", "99999999999999999999s", "18446744073709551615s"}) {
    EXPECT_FALSE(SetFsOption("wal_durable_within", bad, &options).ok()) << bad;
  }
  ASSERT_TRUE(SetFsOption("wal_durable_within", "3ms", &options).ok());
  EXPECT_THAT(ValidateFsOptions(options).ToString(), HasSubstr("from 4"));
}

TEST(FsOptionsTest, NumbersThatAreNoneAreRefused) {
  const char* const bad[] = {"",
                             " ",
                             "x",
                             "-1",
                             "+1",
                             "1.5",
                             "4KB",
                             "K",
                             "0x10",
                             "4096 K",
                             "4 K",
                             "18446744073709551616",
                             "18446744073709551615G"};
  for (const char* value : bad) {
    UringFsOptions options;
    EXPECT_FALSE(SetFsOption("wal_buffer_bytes", value, &options).ok())
        << value;
    EXPECT_FALSE(SetFsOption("wal_buffers", value, &options).ok()) << value;
  }
  UringFsOptions options;
  ASSERT_TRUE(SetFsOption("wal_buffers", "1K", &options).ok());
  EXPECT_EQ(options.wal_buffers, 1024u);
  ASSERT_TRUE(SetFsOption("data_cached_bytes", "2M", &options).ok());
  EXPECT_EQ(options.data_cached_bytes, 2u << 20);
}

TEST(FsOptionsTest, AFailedParseChangesNothing) {
  UringFsOptions options;
  EXPECT_FALSE(
      ParseFsOptions("wal_buffers=7;data_buffers=0", ';', &options).ok());
  EXPECT_EQ(options.wal_buffers, UringFsOptions().wal_buffers);
  EXPECT_FALSE(ParseFsOptions("wal_buffers", ';', &options).ok());
}

TEST(FsOptionsTest, OptionsThatDoNotGoTogetherAreRefused) {
  UringFsOptions options;
  options.wal_buffer_bytes = 4u << 20;
  options.wal_buffers = 1024;
  EXPECT_EQ(ValidateFsOptions(options).code(), Status::Code::kInvalidArgument);
}

TEST(FsOptionsTest, UrisAreReadStrictly) {
  UringFsOptions options;
  EXPECT_TRUE(ParseFsUri("uringfs", &options).ok());
  EXPECT_TRUE(ParseFsUri("uringfs://", &options).ok());
  EXPECT_TRUE(ParseFsUri("uringfs://?", &options).ok());
  ASSERT_TRUE(
      ParseFsUri("uringfs://?wal_buffers=7&data_buffers=3", &options).ok());
  EXPECT_EQ(options.wal_buffers, 7u);
  EXPECT_EQ(options.data_buffers, 3u);
  for (const char* bad : {"uringfs://x", "uringfs:///db", "uringfs:", "",
                          "uringfs://?x=1", "uringfs://wal_buffers=7"}) {
    const Status status = ParseFsUri(bad, &options);
    EXPECT_EQ(status.code(), Status::Code::kInvalidArgument) << bad;
  }
  EXPECT_THAT(ParseFsUri("uringfs://x", &options).ToString(),
              HasSubstr("uringfs://?name=value"));
}

TEST(FsOptionsTest, ABadEnvironmentVariableIsAnErrorThatNamesIt) {
  UringFsOptions options;
  {
    const test::ScopedVariable variable("URINGFS_OPTIONS",
                                        "wal_buffers=6;stats_file=-");
    EXPECT_TRUE(ApplyOptionsVariable(&options).ok());
    EXPECT_EQ(options.wal_buffers, 6u);
  }
  {
    const test::ScopedVariable variable("URINGFS_OPTIONS", "wal_bufers=6");
    EXPECT_THAT(ApplyOptionsVariable(&options).ToString(),
                AllOf(HasSubstr("URINGFS_OPTIONS"), HasSubstr("wal_bufers")));
  }
  EXPECT_TRUE(ApplyOptionsVariable(&options).ok());
}

// A row each in plugin/README.md: name, type, default, range, meaning.
TEST(FsOptionsTest, TheReadmeHasEveryOptionWithItsDefault) {
  std::ifstream file(URINGFS_PLUGIN_README);
  const std::string readme((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
  std::istringstream options(FormatFsOptions(UringFsOptions()));
  std::string option;
  int rows = 0;
  while (std::getline(options, option, ';')) {
    const size_t equals = option.find('=');
    const std::string value = option.substr(equals + 1);
    EXPECT_THAT(readme,
                testing::ContainsRegex(
                    "\n[|] `" + option.substr(0, equals) + "` [|] [a-z]+ [|] " +
                    (value.empty() ? "empty" : "`" + value + "`") + " [|]"));
    ++rows;
  }
  EXPECT_GT(rows, 1);
}

}  // namespace
}  // namespace uringfs
