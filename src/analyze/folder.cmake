# SPDX-License-Identifier: Apache-2.0
# The page's script and style are text, compiled in; scripts/bundle-page makes them.
set(page_texts ${CMAKE_CURRENT_BINARY_DIR}/page_texts.cc)
set(page_script ${PROJECT_SOURCE_DIR}/src/analyze/html/page.min.js)
set(page_style ${PROJECT_SOURCE_DIR}/src/analyze/html/page.min.css)
add_custom_command(OUTPUT ${page_texts}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${page_texts} -DSCRIPT=${page_script} -DSTYLE=${page_style}
          -P ${PROJECT_SOURCE_DIR}/cmake/embed_page.cmake
  DEPENDS ${page_script} ${page_style} ${PROJECT_SOURCE_DIR}/cmake/embed_page.cmake VERBATIM)
target_sources(iovm_analyze PRIVATE ${page_texts})
target_link_libraries(iovm_analyze PRIVATE PkgConfig::LIBARCHIVE ${CMAKE_DL_LIBS})
