# SPDX-License-Identifier: Apache-2.0
configure_file(${PROJECT_SOURCE_DIR}/src/base/version.h.in ${PROJECT_BINARY_DIR}/generated/base/version.h)
target_include_directories(iovm_base PUBLIC ${PROJECT_BINARY_DIR}/generated PRIVATE ${RAPIDJSON_INCLUDE})
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
target_link_libraries(iovm_base PUBLIC fmt::fmt Threads::Threads PRIVATE OpenSSL::Crypto)
