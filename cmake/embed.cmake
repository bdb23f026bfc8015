# SPDX-License-Identifier: Apache-2.0
# cmake -DOUTPUT=FILE.cc -DFILES=a;b -P embed.cmake
# Writes the device tables as string literals: model/device_table.h says what the rest sees of them.
set(entries "")
foreach(file IN LISTS FILES)
  file(READ ${file} text)
  get_filename_component(name ${file} NAME)
  string(APPEND entries "    {\"${name}\", R\"table(${text})table\"},\n")
endforeach()
file(WRITE ${OUTPUT}.new "// Made by cmake/embed.cmake.
#include \"model/device_table.h\"

namespace iovm::model {
namespace {

constexpr DeviceText kTexts[] = {
${entries}};

}  // namespace

std::span<const DeviceText> device_texts() {
  return kTexts;
}

}  // namespace iovm::model
")
file(COPY_FILE ${OUTPUT}.new ${OUTPUT} ONLY_IF_DIFFERENT)
file(TOUCH ${OUTPUT})
