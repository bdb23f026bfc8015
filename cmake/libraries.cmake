# SPDX-License-Identifier: Apache-2.0
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Boost REQUIRED COMPONENTS serialization)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(TRACEEVENT REQUIRED IMPORTED_TARGET libtraceevent)
find_path(RAPIDJSON_INCLUDE rapidjson/writer.h REQUIRED)

# iovm_folder(NAME DEPENDS...): src/NAME becomes the static library iovm_NAME, linked against the
# folders that it may include. What else a folder needs stands in its own CMakeLists.txt, if any.
function(iovm_folder name)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cc)
  add_library(iovm_${name} STATIC ${sources})
  target_include_directories(iovm_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  foreach(dependency IN LISTS ARGN)
    target_link_libraries(iovm_${name} PUBLIC iovm_${dependency})
  endforeach()
  if(EXISTS ${PROJECT_SOURCE_DIR}/src/${name}/folder.cmake)
    include(${PROJECT_SOURCE_DIR}/src/${name}/folder.cmake)
  endif()
endfunction()
