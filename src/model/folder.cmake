# SPDX-License-Identifier: Apache-2.0
target_link_libraries(iovm_model PRIVATE PkgConfig::XXHASH Boost::serialization)

# The device tables are text, compiled in.
file(GLOB device_tables CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/model/devices/*.dev)
iovm_embed(iovm_model device_texts model/device_table.h model DeviceText ${device_tables})
