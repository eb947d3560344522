# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_units LINK coolplane_points)
coolplane_unit_test(test_role LINK coolplane_points)
coolplane_unit_test(test_total LINK coolplane_points)
coolplane_unit_test(test_codec LINK coolplane_points coolplane_num)
coolplane_unit_test(test_site LINK coolplane_points)
coolplane_unit_test(test_quality LINK coolplane_points)
coolplane_unit_test(test_layout LINK coolplane_points coolplane_arx)
coolplane_unit_test(test_points_data LINK coolplane_points coolplane_arx)
target_compile_definitions(test_points_data PRIVATE COOLPLANE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
coolplane_unit_test(test_check_config)
target_compile_definitions(test_check_config PRIVATE
  COOLPLANE_PROGRAM="$<TARGET_FILE:coolplane>" COOLPLANE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
add_dependencies(test_check_config coolplane)
