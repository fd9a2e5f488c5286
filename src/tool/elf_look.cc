// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/tool/elf_look.h"

#include <elf.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>

namespace uringfs::tool {
namespace {

using Header = ElfW(Ehdr);
using Segment = ElfW(Phdr);
using Section = ElfW(Shdr);
using Symbol = ElfW(Sym);
using Dynamic = ElfW(Dyn);

// More than any object has; less than would be missed.
constexpr uint64_t kMaxTableBytes = uint64_t{256} << 20;
constexpr size_t kPieceBytes = size_t{1} << 20;
// No text that is looked for is longer.
constexpr size_t kOverlap = 128;
// Of this machine.
constexpr unsigned char kClass = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;
constexpr uint16_t kOne = 1;

// A name of a ticker: every release has it, no other library.
constexpr char kTicker[] = "rocksdb.block.cache.miss";
constexpr char kTagName[] = "rocksdb_build_git_tag:";
constexpr char kExported[] = "_ZN7rocksdb10FileSystem7DefaultEv";
// The weak function that RocksDB asks whether it may use io_uring.
constexpr char kUringSwitch[] = "RocksDbIOUringEnable";

class ElfFile {
 public:
  explicit ElfFile(const std::string& path) : file_(path, std::ios::binary) {}

  bool Read(uint64_t at, uint64_t bytes, void* out) {
    file_.clear();
    return file_.seekg(static_cast<std::streamoff>(at)) &&
           file_.read(static_cast<char*>(out),
                      static_cast<std::streamsize>(bytes));
  }

  // Empty if it is not all there.
  std::string ReadTable(uint64_t at, uint64_t bytes) {
    if (bytes > kMaxTableBytes || at > static_cast<uint64_t>(INT64_MAX)) {
      return "";
    }
    std::string table(bytes, '\0');
    return Read(at, bytes, table.data()) ? table : "";
  }

  template <typename T>
  std::vector<T> ReadArray(uint64_t at, uint64_t bytes) {
    const std::string table = ReadTable(at, bytes);
    std::vector<T> array(table.size() / sizeof(T));
    if (!array.empty()) {
      std::memcpy(array.data(), table.data(), array.size() * sizeof(T));
    }
    return array;
  }

  // Hands over the whole file in pieces that overlap by `overlap` bytes.
  void ForEachPiece(size_t overlap,
                    const std::function<void(const std::string&)>& call) {
    std::string kept;
    std::string piece(kPieceBytes, '\0');
    file_.clear();
    file_.seekg(0);
    while (file_.read(piece.data(), static_cast<std::streamsize>(kPieceBytes)),
           file_.gcount() > 0) {
      kept.append(piece, 0, static_cast<size_t>(file_.gcount()));
      call(kept);
      kept.erase(0, kept.size() - std::min(kept.size(), overlap));
    }
  }

 private:
  std::ifstream file_;
};

std::string TextAt(const std::string& table, uint64_t at) {
  if (at >= table.size()) {
    return "";
  }
  const size_t end = table.find('\0', at);
  return end == std::string::npos ? "" : table.substr(at, end - at);
}

bool IsOfThisMachine(const Header& header) {
  unsigned char is_little = 0;
  std::memcpy(&is_little, &kOne, 1);
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
         header.e_ident[EI_CLASS] == kClass &&
         header.e_ident[EI_DATA] == (is_little ? ELFDATA2LSB : ELFDATA2MSB) &&
         (header.e_type == ET_EXEC || header.e_type == ET_DYN) &&
         header.e_phentsize == sizeof(Segment) &&
         (header.e_shnum == 0 || header.e_shentsize == sizeof(Section));
}

void ReadSegments(const Header& header, ElfFile* file, ElfLook* look) {
  for (const Segment& segment : file->ReadArray<Segment>(
           header.e_phoff, uint64_t{header.e_phnum} * sizeof(Segment))) {
    if (segment.p_type == PT_INTERP) {
      look->interpreter =
          TextAt(file->ReadTable(segment.p_offset, segment.p_filesz), 0);
    }
  }
  look->is_program = !look->interpreter.empty() || header.e_type == ET_EXEC;
}

void ReadDynamic(const Section& section, const std::string& names,
                 ElfFile* file, ElfLook* look) {
  for (const Dynamic& entry :
       file->ReadArray<Dynamic>(section.sh_offset, section.sh_size)) {
    if (entry.d_tag == DT_NEEDED) {
      look->needed.push_back(TextAt(names, entry.d_un.d_val));
    } else if (entry.d_tag == DT_NULL) {
      break;
    }
  }
}

void ReadSymbols(const Section& section, const std::string& names,
                 ElfFile* file, ElfLook* look) {
  for (const Symbol& symbol :
       file->ReadArray<Symbol>(section.sh_offset, section.sh_size)) {
    const bool is_defined = symbol.st_shndx != SHN_UNDEF;
    const std::string name = TextAt(names, symbol.st_name);
    look->exports_rocksdb |= is_defined && name == kExported;
    look->enables_own_uring |= is_defined && name == kUringSwitch;
    look->has_own_uring |= !is_defined && name == kUringSwitch;
  }
}

void ReadSections(const Header& header, ElfFile* file, ElfLook* look) {
  const std::vector<Section> sections = file->ReadArray<Section>(
      header.e_shoff, uint64_t{header.e_shnum} * sizeof(Section));
  for (const Section& section : sections) {
    if ((section.sh_type != SHT_DYNAMIC && section.sh_type != SHT_DYNSYM) ||
        section.sh_link >= sections.size()) {
      continue;
    }
    const Section& names_of = sections[section.sh_link];
    const std::string names =
        file->ReadTable(names_of.sh_offset, names_of.sh_size);
    if (section.sh_type == SHT_DYNAMIC) {
      ReadDynamic(section, names, file, look);
    } else {
      ReadSymbols(section, names, file, look);
    }
  }
}

bool IsOfTag(char letter) {
  return letter != '\0' && std::strchr("v.0123456789", letter) != nullptr;
}

// What is in the code itself, exported or not.
void ReadTexts(ElfFile* file, ElfLook* look) {
  file->ForEachPiece(kOverlap, [look](const std::string& piece) {
    look->has_rocksdb |= piece.find(kTicker) != std::string::npos;
    const size_t at = piece.find(kTagName);
    if (at == std::string::npos) {
      return;
    }
    const auto begin =
        piece.begin() + static_cast<std::ptrdiff_t>(at + sizeof(kTagName) - 1);
    const std::string tag(begin,
                          std::find_if_not(begin, piece.end(), &IsOfTag));
    if (tag.size() > look->rocksdb_tag.size()) {
      look->rocksdb_tag = tag;
    }
  });
  // A program that has both in it refers to the switch without a symbol.
  look->has_own_uring |= look->has_rocksdb && look->enables_own_uring;
}

std::string ScriptOf(ElfFile* file) {
  std::string line(256, '\0');
  if (!file->Read(0, 2, line.data()) || line.compare(0, 2, "#!") != 0) {
    return "";
  }
  (void)file->Read(0, line.size(), line.data());
  line = line.substr(2, line.find_first_of(std::string("\n\0", 2), 2) - 2);
  line.erase(0, line.find_first_not_of(' '));
  return line.empty() ? "?" : line;
}

}  // namespace

int LookAtElf(const std::string& path, ElfLook* look) {
  *look = ElfLook();
  struct stat stat = {};
  if (::stat(path.c_str(), &stat) != 0) {
    return errno;
  }
  if (!S_ISREG(stat.st_mode)) {
    return S_ISDIR(stat.st_mode) ? EISDIR : EINVAL;
  }
  if (::access(path.c_str(), R_OK) != 0) {
    return errno;
  }
  ElfFile file(path);
  Header header = {};
  look->script = ScriptOf(&file);
  look->is_elf =
      file.Read(0, sizeof(header), &header) && IsOfThisMachine(header);
  if (look->is_elf) {
    ReadSegments(header, &file, look);
    ReadSections(header, &file, look);
    ReadTexts(&file, look);
  }
  return 0;
}

}  // namespace uringfs::tool
