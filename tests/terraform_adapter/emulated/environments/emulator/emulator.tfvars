images_kept = 7
