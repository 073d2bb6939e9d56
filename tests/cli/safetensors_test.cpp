// SPDX-License-Identifier: MIT
// What the reader of tensor files accepts, and what it refuses in which words.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include <rankone/error.hpp>

#include <rankone/safetensors.hpp>

namespace rankone {
namespace {

std::vector<std::byte> file_of(const std::string& header, std::size_t data_bytes) {
  std::string text(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) text[i] = static_cast<char>(header.size() >> 8 * i & 255);
  text += header + std::string(data_bytes, 'x');
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return {bytes, bytes + text.size()};
}

std::string refusal(std::vector<std::byte> file) {
  try {
    SafetensorsFile::parse(std::move(file), "f");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_TRUE(error.where().starts_with('f')) << error.what();
    EXPECT_FALSE(error.given().empty()) << error.what();
    EXPECT_FALSE(error.accepted().empty()) << error.what();
    return error.what();
  }
  return "accepted";
}

std::string refusal(const std::string& header, std::size_t data_bytes) { return refusal(file_of(header, data_bytes)); }

#define EXPECT_REFUSED(header, data_bytes, words) \
  EXPECT_NE(refusal(header, data_bytes).find(words), std::string::npos) << refusal(header, data_bytes)

TEST(Safetensors, ReadsWhatItWrites) {
  const float first[6] = {1, 2, 3, 4, 5, 6};
  const double second[1] = {0.5};
  const std::string bytes =
      safetensors_bytes({{"a", dtype::f32, {2, 3}, first}, {"b", dtype::f64, {}, second}}, {{"scale", "0.5"}});
  std::vector<std::byte> file(bytes.size());
  std::memcpy(file.data(), bytes.data(), bytes.size());
  const SafetensorsFile read = SafetensorsFile::parse(file, "f");
  ASSERT_EQ(read.entries().size(), 2u);
  EXPECT_EQ(read.entries()[0].name, "a");
  EXPECT_EQ(read.entries()[0].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(read.entries()[1].type, dtype::f64);
  EXPECT_TRUE(read.entries()[1].shape.empty());
  EXPECT_EQ(std::memcmp(read.data(read.entries()[0]), first, sizeof first), 0);
  EXPECT_EQ(std::memcmp(read.data(read.entries()[1]), second, sizeof second), 0);
  EXPECT_EQ(read.metadata().at("scale"), "0.5");
  EXPECT_EQ(read.find("c"), nullptr);
  EXPECT_EQ((8 + static_cast<unsigned char>(bytes[0])) % 16, 0);
}

TEST(Safetensors, AcceptsEmptyTensorsAndTypesThatItDoesNotCompute) {
  const auto read = SafetensorsFile::parse(file_of(R"({"e":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]},)"
                                                   R"("u":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}  )",
                                                   3),
                                           "f");
  EXPECT_EQ(read.find("e")->bytes, 0u);
  EXPECT_FALSE(read.find("u")->type.has_value());
  EXPECT_EQ(read.find("u")->type_name, "U8");
}

TEST(Safetensors, RefusesFilesThatAreCutShort) {
  EXPECT_NE(refusal(std::vector<std::byte>(7)).find("too short"), std::string::npos);
  std::vector<std::byte> whole = file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(refusal(std::vector<std::byte>(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))),
              "accepted")
        << size;
  EXPECT_EQ(refusal(whole), "accepted");
}

TEST(Safetensors, RefusesAbsurdHeaderLengths) {
  for (const unsigned char high : {0x7f, 0x80, 0xff}) {
    std::vector<std::byte> file(100);
    file[7] = static_cast<std::byte>(high);
    EXPECT_NE(refusal(file).find("absurd"), std::string::npos);
  }
  std::vector<std::byte> file(100);
  file[0] = std::byte{93};
  EXPECT_NE(refusal(file).find("ends inside its header"), std::string::npos);
}

TEST(Safetensors, RefusesHeadersThatAreNotWhatTheyShouldBe) {
  EXPECT_REFUSED("", 0, "not JSON");
  EXPECT_REFUSED("{\"a\":", 0, "not JSON");
  EXPECT_REFUSED("[]", 0, "not a JSON object");
  EXPECT_REFUSED(R"({"a":3})", 0, "not a JSON object");
  EXPECT_REFUSED(R"({"__metadata__":{"a":3}})", 0, "not a string");
  EXPECT_REFUSED(
      R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4,
      "twice");
  EXPECT_REFUSED(R"({"a":{"dtype":"F32","shape":[1]}})", 4, "missing");
  EXPECT_REFUSED(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}})", 4, "unknown field");
  EXPECT_REFUSED(R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4, "unknown dtype");
  EXPECT_REFUSED(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "not a count");
  EXPECT_REFUSED(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4, "not a count");
  EXPECT_REFUSED(R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", 4, "not a list");
  EXPECT_REFUSED(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, "not a pair");
}

TEST(Safetensors, RefusesDeepNesting) {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  EXPECT_REFUSED(R"({"q":{"dtype":"F32","shape":)" + deep + R"(,"data_offsets":[0,4]}})", 4, "nested too deeply");
  EXPECT_REFUSED(R"({"q":{"dtype":)" + deep + R"(,"shape":[],"data_offsets":[0,4]}})", 4, "nested too deeply");
  EXPECT_REFUSED(R"({"__metadata__":{"scale":)" + deep + "}}", 0, "nested too deeply");
  EXPECT_REFUSED(deep, 0, "nested too deeply");
  EXPECT_REFUSED(R"({"q":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", 4, "not a count");
}

TEST(Safetensors, RefusesOffsetsThatDoNotFit) {
  EXPECT_REFUSED(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4, "out of range");
  EXPECT_REFUSED(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "backwards");
  EXPECT_REFUSED(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "do not fit the shape");
  EXPECT_REFUSED(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})", 4, "too large");
  EXPECT_REFUSED(R"({"a":{"dtype":"F32","shape":[9223372036854775807,4],"data_offsets":[0,4]}})", 4, "too large");
  EXPECT_REFUSED(
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
      6, "overlap");
  EXPECT_REFUSED(
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[5,9]}})",
      9, "hole");
  EXPECT_REFUSED(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5, "follow the last tensor");
  EXPECT_REFUSED(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", 1, "whole bytes");
}

TEST(Safetensors, OpensFilesAndSaysWhenItCannot) {
  const std::string path = std::filesystem::temp_directory_path() / ("rankone-tensors-" + std::to_string(getpid()));
  const float value = 3;
  write_safetensors(path, {{"a", dtype::f32, {1}, &value}}, {});
  EXPECT_EQ(SafetensorsFile::open(path).entries().size(), 1u);
  std::ofstream(path, std::ios::binary) << "\xff\xff\xff\xff\xff\xff\xff\x7f{}";
  EXPECT_THROW(SafetensorsFile::open(path), Error);
  std::filesystem::remove(path);
  try {
    SafetensorsFile::open(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
  }
  EXPECT_THROW(SafetensorsFile::open("/"), Error);
  EXPECT_THROW(write_safetensors("/nowhere/at/all", {{"a", dtype::f32, {1}, &value}}, {}), Error);
}

}  // namespace
}  // namespace rankone
