# SPDX-License-Identifier: Apache-2.0
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Boost REQUIRED COMPONENTS serialization)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(LIBARCHIVE REQUIRED IMPORTED_TARGET libarchive)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(TRACEEVENT REQUIRED IMPORTED_TARGET libtraceevent)
pkg_check_modules(TRACECMD REQUIRED IMPORTED_TARGET libtracecmd)
find_path(RAPIDJSON_INCLUDE rapidjson/writer.h REQUIRED)

# iovm_embed(TARGET NAME HEADER NAMESPACE TYPE FILES...): texts compiled into a library; NAME() of the
# header gives them as TYPE{file name, text}.
function(iovm_embed target name header namespace type)
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed.cmake)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${name}.cc)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} "-DFILES=${ARGN}" -DHEADER=${header} -DNAMESPACE=${namespace}
            -DTYPE=${type} -DFUNCTION=${name} -P ${script}
    DEPENDS ${ARGN} ${script} VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()

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
