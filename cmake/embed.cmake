# SPDX-License-Identifier: Apache-2.0
# cmake -DOUTPUT=FILE.cc -DFILES=a;b -DHEADER=h -DNAMESPACE=n -DTYPE=T -DFUNCTION=f -P embed.cmake
# Writes text files as string literals: f() of the header gives them as T{name, text}.
set(entries "")
foreach(file IN LISTS FILES)
  file(READ ${file} text)
  get_filename_component(name ${file} NAME)
  string(APPEND entries "    {\"${name}\", R\"text(${text})text\"},\n")
endforeach()
file(WRITE ${OUTPUT}.new "// Made by cmake/embed.cmake.
#include \"${HEADER}\"

namespace iovm::${NAMESPACE} {
namespace {

constexpr ${TYPE} kTexts[] = {
${entries}};

}  // namespace

std::span<const ${TYPE}> ${FUNCTION}() {
  return kTexts;
}

}  // namespace iovm::${NAMESPACE}
")
file(COPY_FILE ${OUTPUT}.new ${OUTPUT} ONLY_IF_DIFFERENT)
file(TOUCH ${OUTPUT})
