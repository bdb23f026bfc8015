# SPDX-License-Identifier: Apache-2.0
target_link_libraries(iovm_model PRIVATE PkgConfig::XXHASH Boost::serialization)
