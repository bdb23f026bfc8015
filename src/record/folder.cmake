# SPDX-License-Identifier: Apache-2.0
target_link_libraries(iovm_record PRIVATE PkgConfig::TRACEEVENT PkgConfig::TRACECMD PkgConfig::ZSTD ${CMAKE_DL_LIBS})
# The record layout that the kernel module, the BPF program and their readers share.
target_include_directories(iovm_record PUBLIC ${PROJECT_SOURCE_DIR}/kmod/uapi)
