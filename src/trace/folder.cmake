# SPDX-License-Identifier: Apache-2.0
target_link_libraries(iovm_trace PRIVATE PkgConfig::ZSTD PkgConfig::XXHASH Boost::serialization)
