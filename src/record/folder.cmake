# SPDX-License-Identifier: Apache-2.0
target_link_libraries(iovm_record PRIVATE PkgConfig::TRACEEVENT PkgConfig::TRACECMD PkgConfig::ZSTD ${CMAKE_DL_LIBS})
