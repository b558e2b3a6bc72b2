// torch_file.cpp -- finds, checks and writes the entries of the zip archive of a saved tensor.
#include "files/torch_file.h"

#include <algorithm>
#include <cstdlib>

#include "files/pickle.h"
#include "files/zip.h"
#include "graph/printable.h"

namespace rt::files {
namespace {

constexpr std::string_view kPickle = "/data.pkl", kByteOrder = "/byteorder", kVersion = "/version",
                           kData = "/data/", kLittle = "little", kBig = "big";

/// Throws unless the file is a zip archive. PyTorch before 1.6 wrote none.
void refuse_other_formats(const File& file) {
  char opening[2] = {};
  file.read(0, opening, std::min<int64_t>(file.size(), sizeof opening));
  if (opening[0] == 'P' && opening[1] == 'K') return;
  if (file.size() == 0) fail("is empty");
  constexpr char kPickleOpening = '\x80';
  if (opening[0] == kPickleOpening)
    fail(
        "is in the format of PyTorch before 1.6, or a pickle of another program; load it in Python "
        "and torch.save it again");
  fail("is not a file of torch.save, which is a zip archive");
}

/// The folder inside the archive in which all entries lie.
std::string folder_in(const ZipReader& zip) {
  const std::string* found = nullptr;
  for (const auto& [name, entry] : zip.entries()) {
    if (!name.ends_with(kPickle) || name.find('/') != name.size() - kPickle.size()) continue;
    if (found)
      fail("has the two pickles ", printable(*found), " and ", printable(name),
           "; it must have one");
    found = &name;
  }
  if (!found) fail("is a zip archive without data.pkl, so that torch.save did not write it");
  return found->substr(0, found->size() - kPickle.size());
}

/// True where the file's numbers have the highest byte first. Throws where the version or the byte
/// order is unknown.
bool big_endian(const ZipReader& zip, const std::string& folder) {
  constexpr int64_t kLongest = 20;
  const auto text = [&](std::string_view name) {
    const std::string path = folder + std::string(name);
    if (zip.at(path).size > kLongest)
      fail("the entry ", printable(path), " of the zip archive is too long");
    return zip.text(path);
  };
  constexpr int kNewest = 10;
  const std::string version = text(kVersion);
  const int number = std::atoi(version.c_str());
  if (number < 1 || number > kNewest)
    fail("has the version \"", printable(version), "\" of the format; it must be a number up to ",
         kNewest);
  // Files without this entry are older than big-endian ones.
  if (!zip.entries().contains(folder + std::string(kByteOrder))) return false;
  const std::string order = text(kByteOrder);
  if (order != kLittle && order != kBig)
    fail("has the byte order \"", printable(order), "\"; it must be ", kLittle, " or ", kBig);
  return order == kBig;
}

PickledTensor tensor_in(const ZipReader& zip, const std::string& folder) {
  const std::string path = folder + std::string(kPickle);
  if (const int64_t size = zip.at(path).size; size > kMaxPickle)
    fail("has a pickle of ", size,
         " bytes, more than one tensor needs; save each tensor to a file of its own");
  const std::string pickle = zip.text(path);
  try {
    return read_pickle(pickle);
  } catch (const Error& error) {
    fail("its pickle ", error.text());
  }
}

Layout load(const std::string& path,
            const std::function<void*(DType dtype, int64_t elements)>& room) {
  const File file(path);
  refuse_other_formats(file);
  const ZipReader zip(file);
  const std::string folder = folder_in(zip);
  const bool swapped = big_endian(zip, folder);
  PickledTensor tensor = tensor_in(zip, folder);
  const DType dtype = held(*tensor.element);
  const std::string data = folder + std::string(kData) + tensor.key;
  const int64_t size = zip.at(data).size;
  // An element that a dtype can hold takes whole bytes. The sizes are compared by dividing, because
  // a product could overflow.
  const int64_t element_size = tensor.element->bits / 8;
  if (size % element_size != 0 || size / element_size != tensor.elements)
    fail("the entry ", printable(data), " has ", size, " bytes, and the pickle asks for ",
         tensor.elements, " elements of ", element_size, " bytes");
  read_elements(*tensor.element, tensor.elements, room(dtype, tensor.elements),
                [&](void* to, int64_t) { zip.read(data, to); },
                {.big_endian = swapped, .negated = tensor.negated});
  return std::move(tensor.layout);
}

void save(const std::string& path, DType dtype, Sizes sizes, const void* data) {
  constexpr std::string_view kFolder = "archive", kKey = "0", kFormat = "3\n";
  const int64_t elements = numel(sizes);
  const std::string pickle = write_pickle({&element_of(dtype),
                                           std::string(kKey),
                                           elements,
                                           {Shape(sizes), contiguous_strides(sizes), 0}});
  Replacement file(path);
  ZipWriter zip(file.stream());
  const auto add = [&](std::string_view name, const void* bytes, int64_t count) {
    zip.add(join(kFolder, name), bytes, count);
  };
  const auto add_text = [&](std::string_view name, std::string_view text) {
    add(name, text.data(), static_cast<int64_t>(text.size()));
  };
  add_text(kPickle, pickle);
  add_text(kByteOrder, kLittle);
  add_text(kVersion, kFormat);
  add(join(kData, kKey), data, elements * item_size(dtype));
  zip.finish();
  file.commit();
}

}  // namespace

Layout load_torch_file(const std::string& path,
                       const std::function<void*(DType dtype, int64_t elements)>& room) {
  return naming(path, [&] { return load(path, room); });
}

void save_torch_file(const std::string& path, DType dtype, Sizes sizes, const void* data) {
  naming(path, [&] { save(path, dtype, sizes, data); });
}

}  // namespace rt::files
