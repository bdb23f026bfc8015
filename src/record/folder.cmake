# SPDX-License-Identifier: Apache-2.0
target_link_libraries(iovm_record PRIVATE PkgConfig::TRACEEVENT PkgConfig::TRACECMD PkgConfig::ZSTD ${CMAKE_DL_LIBS})
# The record layout that the kernel module, the BPF program and their readers share.
target_include_directories(iovm_record PUBLIC ${PROJECT_SOURCE_DIR}/kmod/uapi)

# The BPF program: compiled for the kernel's own machine, then made a header that carries it
# (bpftool's skeleton). It needs no header of any kernel, and nothing of the one that runs here.
find_program(CLANG NAMES clang clang-14 REQUIRED)
find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)
pkg_check_modules(BPF REQUIRED IMPORTED_TARGET libbpf)
set(bpf_source ${CMAKE_CURRENT_LIST_DIR}/bpf)
set(bpf_binary ${PROJECT_BINARY_DIR}/bpf)
file(GLOB bpf_headers CONFIGURE_DEPENDS ${bpf_source}/*.h)
add_custom_command(OUTPUT ${bpf_binary}/iovm.skel.h
  COMMAND ${CMAKE_COMMAND} -E make_directory ${bpf_binary}
  COMMAND ${CLANG} -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -I${PROJECT_SOURCE_DIR}/kmod/uapi
    -isystem /usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -c ${bpf_source}/iovm.bpf.c -o ${bpf_binary}/iovm.bpf.o
  COMMAND ${BPFTOOL} gen skeleton ${bpf_binary}/iovm.bpf.o name iovm_bpf > ${bpf_binary}/iovm.skel.h
  DEPENDS ${bpf_source}/iovm.bpf.c ${bpf_headers} ${PROJECT_SOURCE_DIR}/kmod/uapi/iovm_abi.h
  COMMENT "Building the BPF program" VERBATIM)
target_sources(iovm_record PRIVATE ${bpf_binary}/iovm.skel.h)
target_include_directories(iovm_record SYSTEM PRIVATE ${bpf_binary})
target_link_libraries(iovm_record PRIVATE PkgConfig::BPF)
