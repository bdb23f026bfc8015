# SPDX-License-Identifier: Apache-2.0
target_link_libraries(iovm_model PRIVATE PkgConfig::XXHASH Boost::serialization)

# The device tables are text, compiled in.
file(GLOB device_tables CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/model/devices/*.dev)
set(device_texts ${CMAKE_CURRENT_BINARY_DIR}/device_texts.cc)
add_custom_command(OUTPUT ${device_texts}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${device_texts} "-DFILES=${device_tables}"
          -DHEADER=model/device_table.h -DNAMESPACE=model -DTYPE=DeviceText -DFUNCTION=device_texts
          -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
  DEPENDS ${device_tables} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
target_sources(iovm_model PRIVATE ${device_texts})
