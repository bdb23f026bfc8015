# SPDX-License-Identifier: Apache-2.0
# cmake -DOUTPUT=FILE.cc -DSCRIPT=page.min.js -DSTYLE=page.min.css -P embed_page.cmake
# Writes the page's script and style as string literals: src/analyze/html.h says what the rest sees of them.
file(READ ${SCRIPT} script)
file(READ ${STYLE} style)
file(WRITE ${OUTPUT} "// Made by cmake/embed_page.cmake.
#include \"analyze/html.h\"

namespace iovm::analyze {

std::string_view page_script() {
  return R\"page(${script})page\";
}
std::string_view page_style() {
  return R\"page(${style})page\";
}

}  // namespace iovm::analyze
")
