# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_units LINK coolplane_points)
coolplane_unit_test(test_role LINK coolplane_points)
coolplane_unit_test(test_codec LINK coolplane_points coolplane_num)
coolplane_unit_test(test_site LINK coolplane_points)
coolplane_unit_test(test_quality LINK coolplane_points)
coolplane_unit_test(test_layout LINK coolplane_points coolplane_arx)
